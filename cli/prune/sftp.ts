/**
 * Removes at an SFTP target what the hub no longer has: as root at the peer, through the operator's
 * own SSH, in the order and after the doubts of a rest-server's prune. No door is opened for it.
 */
import type { SftpTargetConfig } from "../../config/stack.ts";
import { messageOf } from "../../hub/errors.ts";
import { counted, excerpt, size } from "../../hub/format.ts";
import { HASHED_KINDS, parsePath } from "../../hub/repository/layout.ts";
import { emptyInventory, type Inventory } from "../../hub/targets/target.ts";
import { asRoot } from "../../peer/script.ts";
import { sftpConnection, sftpPlace, type SftpSettings } from "../../peer/sftp/place.ts";
import { sftpPruneScript } from "../../peer/sftp/script.ts";
import { runOnPeer } from "../../peer/ssh.ts";
import { agree } from "../confirm.ts";
import { interruption } from "../interruption.ts";
import { forgetPacks, recallPacks } from "./notes.ts";
import { list } from "./places.ts";
import { found, remember, reportOf, show, type RemoveGoneOptions } from "./remove-gone.ts";
import { cameBack, ORDER, planRemoval, type Removal } from "./removal.ts";
import { fail, type PruneReport } from "./report.ts";

/** What the removal needs to know. */
export interface RemoveAtSftpOptions extends Omit<RemoveGoneOptions, "peer" | "minutes"> {
  readonly settings: SftpSettings;
  /** The operator's SSH key; without it the agent is asked. Secret. */
  readonly sshPrivateKey: string | undefined;
}

interface Listing {
  readonly inventories: ReadonlyMap<string, Inventory>;
  readonly arrivals: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly locks: ReadonlyMap<string, readonly number[]>;
  /** Milliseconds since 1970, by the peer's clock. */
  readonly now: number;
}

/** Lists, shows, asks, removes; fills the report in. */
export async function removeAtSftp(
  options: RemoveAtSftpOptions,
  report: PruneReport,
): Promise<void> {
  const { settings, hosts, say, yes } = options;
  const { project } = sftpPlace(settings);
  say(
    `Looking at what the peer and the hub have of ${counted(hosts.length, "host")}. Nothing is changed.`,
  );
  const plans = await plan(options, project, report);
  show(plans, options);
  const going = plans.filter(({ host }) => report.hosts[host]?.outcome === "planned");
  if (options.dryRun || going.length === 0) return;
  const count = going.reduce((sum, each) => sum + each.count, 0);
  const bytes = going.reduce((sum, each) => sum + each.bytes, 0);
  say(
    `They are removed as root at ${settings.target.ssh.host}, through SSH. What is removed there is gone for good.`,
  );
  const question = `Remove ${counted(count, "file")} (${size(bytes)}) of ${counted(going.length, "host")} at ${settings.name}?`;
  if (!(await agree(question, yes))) return;
  await checkAgain(going, options);
  for (const { host, files } of going) {
    fail(report, host, "its turn did not come");
    remember(project, host, files.data.keys(), say);
  }
  for (const removal of going) {
    interruption.throwIfAborted();
    await removeHost(removal, options, report);
    if (report.hosts[removal.host]?.outcome === "removed") forgetPacks(project, removal.host);
  }
}

/** The peer is listed first: what arrives there later is in no plan. */
async function plan(
  { settings, sshPrivateKey, hub, hosts, retention, allowed, say }: RemoveAtSftpOptions,
  project: string,
  report: PruneReport,
): Promise<Removal[]> {
  const atPeer = await listAtPeer(settings, sshPrivateKey, hosts);
  const first = await list(hub.url, hub.passwords);
  const answered = [...hub.passwords].filter(([host]) => !(first.get(host) instanceof Error));
  const second = await list(hub.url, new Map(answered));
  return hosts.flatMap((host): Removal[] => {
    try {
      const inventory = found(atPeer.inventories, host, "peer");
      const copy = {
        inventory,
        arrivals: atPeer.arrivals.get(host) ?? new Map<string, number>(),
        locks: atPeer.locks.get(host) ?? [],
        begun: recallPacks(project, host),
      };
      const atHub = [found(first, host, "hub"), found(second, host, "hub")] as const;
      const removal = planRemoval(host, copy, atHub, { retention, now: atPeer.now });
      report.hosts[host] = reportOf(removal, inventory, allowed.has(host));
      return [removal];
    } catch (error) {
      fail(report, host, messageOf(error));
      say(`${host}: ${messageOf(error)}`);
      return [];
    }
  });
}

/** The operator may have taken a while to answer. */
async function checkAgain(
  going: readonly Removal[],
  { hub }: Pick<RemoveAtSftpOptions, "hub">,
): Promise<void> {
  const names = new Set(going.map(({ host }) => host));
  const now = await list(hub.url, new Map([...hub.passwords].filter(([host]) => names.has(host))));
  for (const removal of going) {
    const back = cameBack(removal, found(now, removal.host, "hub"));
    if (back === 0) continue;
    throw new Error(
      `${removal.host}: ${counted(back, "file")} that should go came back to the hub meanwhile. Nothing was removed; run it again`,
    );
  }
}

/** One kind after another, each begun when the peer no longer has any of the one before. */
async function removeHost(
  removal: Removal,
  { settings, sshPrivateKey, say }: RemoveAtSftpOptions,
  report: PruneReport,
): Promise<void> {
  const { host } = removal;
  try {
    for (const kind of ORDER) {
      const names = [...removal.files[kind].keys()];
      if (names.length === 0) continue;
      say(`${host}: removing ${counted(names.length, "file")} of ${kind} …`);
      const files = names.map((name) => ({ host, kind, name }));
      await atPeer(settings, sshPrivateKey, "remove", { hosts: [host], files });
      const there = (await listAtPeer(settings, sshPrivateKey, [host])).inventories.get(host);
      const left = names.filter((name) => there?.files[kind].has(name)).length;
      if (left > 0) throw new Error(`${counted(left, "file")} of ${kind} could not be removed`);
    }
  } catch (error) {
    fail(report, host, messageOf(error));
    say(`${host}: ${messageOf(error)}`);
    return;
  }
  const own = report.hosts[host];
  if (own !== undefined) Object.assign(own, { outcome: "removed", reasons: [] });
}

async function listAtPeer(
  settings: SftpSettings,
  sshPrivateKey: string | undefined,
  hosts: readonly string[],
): Promise<Listing> {
  const output = await atPeer(settings, sshPrivateKey, "list", { hosts });
  const inventories = new Map(hosts.map((host) => [host, emptyInventory()]));
  const arrivals = new Map(hosts.map((host) => [host, new Map<string, number>()]));
  const locks = new Map(hosts.map((host) => [host, [] as number[]]));
  for (const line of output.split("\n")) {
    const [, whose = "", base64 = ""] = /^config (\S+) (\S+)$/.exec(line) ?? [];
    const known = inventories.get(whose);
    const content = Buffer.from(base64, "base64");
    if (known !== undefined) known.config = { size: content.length, content };
    const match = /^file (\S+) (\d+) (\d+) (.+)$/.exec(line);
    const [, host = "", bytes, seconds, path = ""] = match ?? [];
    const inventory = inventories.get(host);
    if (inventory === undefined) continue;
    const came = Number(seconds) * 1000;
    const file = parsePath(path);
    if (file === undefined) {
      if (path.startsWith("locks/")) locks.get(host)?.push(came);
    } else if (file.kind !== "config") {
      const kind = HASHED_KINDS.find((each) => each === file.kind);
      if (kind !== undefined) inventory.files[kind].set(file.name, Number(bytes));
      if (kind === "snapshots") arrivals.get(host)?.set(file.name, came);
    }
  }
  const now = Number(/^now (\d+)$/m.exec(output)?.[1] ?? 0) * 1000;
  return { inventories, arrivals, locks, now };
}

/** Runs the script as root at the peer; what it printed. */
async function atPeer(
  settings: SftpSettings & { readonly target: SftpTargetConfig },
  sshPrivateKey: string | undefined,
  what: "list" | "remove",
  { hosts, files }: { hosts: readonly string[]; files?: Parameters<typeof sftpPruneScript>[2] },
): Promise<string> {
  const { exitCode, stdout, stderr } = await runOnPeer(
    sftpConnection(settings.target, sshPrivateKey),
    asRoot(what),
    { input: sftpPruneScript(sftpPlace(settings), hosts, files), signal: interruption },
  );
  const isWhole = new RegExp(`^${what === "list" ? "listed" : "removed"}$`, "m").test(stdout);
  if (exitCode === 0 && isWhole) return stdout;
  const last = stderr.trim().split("\n").at(-1) ?? "";
  throw new Error(`the peer's shell ended with ${exitCode}: ${excerpt(last)}`);
}
