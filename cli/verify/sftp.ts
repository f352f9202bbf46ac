/** An SFTP target as it is now: the peer, whom it lets in, what it lets them do, what is sealed. */
import { createHash, randomBytes } from "node:crypto";
import pLimit from "p-limit";
import { CANARY } from "../../config/canary.ts";
import type { SftpTargetConfig } from "../../config/stack.ts";
import { deriveSshKey, hostKeyStanding, type SshKey } from "../../credentials/ssh-key.ts";
import { counted, excerpt } from "../../hub/format.ts";
import { asRoot } from "../../peer/script.ts";
import { lookAtSftp, type SftpLook } from "../../peer/sftp/look.ts";
import {
  HOST_PATH,
  HUB_PATH,
  SEAL_MINUTES,
  sftpAddress,
  sftpConnection,
  sftpPlace,
  sftpUser,
  type SftpPlace,
} from "../../peer/sftp/place.ts";
import { sftpLookScript } from "../../peer/sftp/script.ts";
import {
  runOnPeer,
  sweepPrivateFolders,
  UnreachableError,
  type SshConnection,
} from "../../peer/ssh.ts";
import { interruption } from "../interruption.ts";
import { Skipped, type Check, type Checks } from "./checks.ts";
import type { TargetOptions } from "./options.ts";
import { judgeArrivals, judgeDrift, judgeRoom } from "./peer-look.ts";
import { canForward, canRunCommands, sftpSession } from "./sftp-session.ts";

/** What is known of an SFTP target. */
export interface SftpOptions extends TargetOptions {
  readonly target: SftpTargetConfig;
  /** The seed of all derived credentials. Secret. */
  readonly seed: string;
  /** The operator's SSH key; without it the agent is asked. Secret. */
  readonly sshPrivateKey: string | undefined;
  /** What puts right what was changed at the peer. */
  readonly repair: string;
}

type Reached = Extract<SftpLook, { reached: true }>;

const GIB = 1024 ** 3;

/** A peer's sshd turns people away who come many at a time. */
const IN_FLIGHT = 2;

const CONTENT = "A canary of offsite verify. It can be removed; it is made again.\n";
const OTHER_CONTENT = "Whoever reads this has overwritten the canary.\n";
const NAME = createHash("sha256").update(CONTENT).digest("hex");
const FILE = `${HUB_PATH}/${CANARY}/data/${NAME.slice(0, 2)}/${NAME}`;

/** Looks at all of it. */
export async function verifySftp(options: SftpOptions, checks: Checks): Promise<void> {
  const { target, sshPrivateKey } = options;
  checks.maxBytes = Math.floor(target.maxSizeGiB * GIB);
  await sweepPrivateFolders();
  const operator = sftpConnection(target, sshPrivateKey);
  const place = sftpPlace(options);
  const look = await lookFor(operator, place, checks);
  await checks.make("directory", (check) => {
    if (look === undefined) throw new Skipped("not without a login");
    judgeDrift(look, options.repair, check);
    return "as it was installed";
  });
  await tryKeys(options, place, checks);
  await checks.make("sealed", (check) => trySealing(options, { operator, place, look }, check));
  await checks.make("space", (check) => {
    const seen = judgeRoom(look, checks, check);
    const quota = look?.facts.quota ?? "";
    return quota === "" ? seen : `${seen}; ${quota}`;
  });
  await checks.make("snapshots", (check) =>
    judgeArrivals(look, look?.facts.hosts, options, checks, check),
  );
}

async function lookFor(
  operator: SshConnection,
  place: SftpPlace,
  checks: Checks,
): Promise<Reached | undefined> {
  let found: Reached | undefined;
  await checks.make("login", async () => {
    const look = await lookAtSftp(operator, place, { signal: interruption });
    if (!look.reached) throw new Error(look.reason);
    found = look;
    return `let in at ${operator.host}, which shows the pinned host key`;
  });
  return found;
}

/** The way in for a user, as hub and hosts have it. */
function wayOf(target: SftpTargetConfig, user: string, key: SshKey): SshConnection {
  const { hostKey } = target.ssh;
  return { ...sftpAddress(target), user, hostKey, privateKey: key.privateKey, perDialTimeout: 10 };
}

/** The hub's way in, with the key of a generation. */
function hubAt(
  { target, seed, name }: SftpOptions,
  place: SftpPlace,
  generation = target.generation,
): SshConnection {
  const user = place.users[0]?.user ?? "";
  return wayOf(target, user, deriveSshKey(seed, { target: name }, generation));
}

async function tryKeys(options: SftpOptions, place: SftpPlace, checks: Checks): Promise<void> {
  const { target, hosts } = options;
  const hub = hubAt(options, place);
  const canReach = await checks.make("hub's key", async (check) => {
    const file = `${HUB_PATH}/${CANARY}/locks/verify-${randomBytes(6).toString("hex")}`;
    const files = { canary: CONTENT };
    const commands = [`ls ${HUB_PATH}`, `put canary ${file}`, `rm ${file}`];
    const { ok, output } = await sftpSession(hub, commands, { files });
    if (!ok)
      check.error(`the hub's key is let in and cannot write: ${lastOf(output)}. ${options.repair}`);
    await tryToBreakOut("the hub", hub, check, options.repair);
    // One that is refused is enough: sshd shuts out for a time who comes with many.
    const other = target.generation > 1 ? target.generation - 1 : target.generation + 1;
    const which = other < target.generation ? "was replaced" : "is to come";
    if (await isLetIn(hubAt(options, place, other))) {
      check.error(
        `the hub's key of generation ${other} is let in, which ${which}: ${target.generation} is in force. ${options.repair}`,
      );
    }
    return "writes, and can do nothing but SFTP; another generation's is refused";
  });
  await checks.make("hosts' keys", async (check) => {
    if (!canReach) throw new Skipped("not without the hub's");
    const limit = pLimit(IN_FLIGHT);
    const names = Object.keys(hosts);
    await Promise.all(names.map((host) => limit(() => tryHost(options, place, host, check))));
    return `${counted(names.length, "host")} let in, to read its own repository`;
  });
}

async function tryToBreakOut(
  who: string,
  connection: SshConnection,
  check: Check,
  repair: string,
): Promise<void> {
  if (await canRunCommands(connection)) check.error(`${who} can run commands there. ${repair}`);
  if (await canForward(connection)) {
    check.error(`${who} can reach other places through the peer's SSH server. ${repair}`);
  }
  const { ok } = await sftpSession(connection, ["ls /etc/passwd"]);
  if (ok) check.error(`${who} sees the peer's own files: no chroot keeps them apart. ${repair}`);
}

async function tryHost(
  { name, target, hosts, seed, stack, repair }: SftpOptions,
  place: SftpPlace,
  host: string,
  check: Check,
): Promise<void> {
  interruption.throwIfAborted();
  const standing = hosts[host];
  if (standing === undefined) return;
  const { generation } = hostKeyStanding(standing, target);
  const key = deriveSshKey(seed, { target: name, host }, generation);
  const way = wayOf(target, sftpUser(place.project, host), key);
  try {
    const reading = await sftpSession(way, [`ls ${HOST_PATH}`]);
    if (!reading.ok) {
      check.error(
        `${host} is let in and cannot read its repository: ${lastOf(reading.output)}. ${repair}`,
      );
    }
    const file = `${HOST_PATH}/locks/verify-${randomBytes(6).toString("hex")}`;
    const writing = await sftpSession(way, [`put canary ${file}`], { files: { canary: CONTENT } });
    if (writing.ok) check.error(`${host} can write there, and must only read. ${repair}`);
    const others = await sftpSession(way, [`ls ${HUB_PATH}`]);
    if (others.ok) check.error(`${host} sees the other hosts' repositories. ${repair}`);
  } catch (error) {
    interruption.throwIfAborted();
    if (!(error instanceof UnreachableError)) throw error;
    check.error(
      `the key of ${host} that is in force in ${stack} is refused: ${error.message}. ${repair}`,
    );
  }
}

async function isLetIn(connection: SshConnection): Promise<boolean> {
  try {
    await sftpSession(connection, ["ls /"]);
    return true;
  } catch (error) {
    interruption.throwIfAborted();
    if (error instanceof UnreachableError) return false;
    throw error;
  }
}

/** Has a canary sealed now, and tries with the hub's key what must be refused from then on. */
async function trySealing(
  options: SftpOptions,
  {
    operator,
    place,
    look,
  }: { operator: SshConnection; place: SftpPlace; look: Reached | undefined },
  check: Check,
): Promise<string> {
  if (look === undefined) throw new Skipped("not without a login");
  const hub = hubAt(options, place);
  await sftpSession(hub, [`-put canary ${FILE}`], { files: { canary: CONTENT } });
  const sealing = await runOnPeer(operator, asRoot("seal"), {
    input: sftpLookScript(place, false),
    signal: interruption,
  });
  if (sealing.exitCode !== 0) {
    throw new Error(`what arrived cannot be sealed: ${lastOf(sealing.stderr)}. ${options.repair}`);
  }
  const { fetched } = await sftpSession(
    hub,
    [
      ...[`-chmod 666 ${FILE}`, `-put other ${FILE}`, `-put other ${FILE}.new`],
      ...[`-rename ${FILE}.new ${FILE}`, `-rm ${FILE}.new`, `-rm ${FILE}`, `-get ${FILE} found`],
    ],
    { files: { other: OTHER_CONTENT }, fetched: ["found"] },
  );
  if (fetched.get("found") !== CONTENT) {
    check.error(
      `what was sealed could be ${fetched.has("found") ? "overwritten" : "removed"} with the hub's key: whoever has it can destroy the copies. ${options.repair}`,
    );
  }
  const unsealed = look.facts.hosts.reduce((sum, { unsealed: count }) => sum + count, 0);
  check.notice(
    `SFTP knows no append-only: what the hub sent in the last ${SEAL_MINUTES} minutes (${counted(unsealed, "file")} when this began) can be destroyed with its key until it is sealed`,
  );
  return "what is sealed can be neither removed nor overwritten";
}

function lastOf(output: string): string {
  return excerpt(output.trim().split("\n").at(-1) ?? "");
}
