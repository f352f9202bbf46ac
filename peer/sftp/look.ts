/** A look at an SFTP directory on a peer: what is there, against what was put there. */
import { messageOf } from "../../hub/errors.ts";
import { counted, excerpt, printable } from "../../hub/format.ts";
import { asRoot } from "../script.ts";
import { runOnPeer, type SshConnection } from "../ssh.ts";
import { SEAL_MINUTES, type SftpPlace } from "./place.ts";
import { sftpLookScript } from "./script.ts";

/** One host's repository on the peer. */
export interface SftpHostFacts {
  readonly name: string;
  readonly snapshots: number;
  /** When the newest arrived, by the peer's clock. */
  readonly newest: Date | undefined;
  /** Files that the hub's key could still destroy. */
  readonly unsealed: number;
}

/** What was seen there. */
export interface SftpFacts {
  /** The peer's clock. */
  readonly now: Date;
  /** The sealing's last run; undefined before the first. */
  readonly sealed:
    { readonly at: Date; readonly waiting: number; readonly damaged: number } | undefined;
  readonly hosts: readonly SftpHostFacts[];
  /** Bytes of all repositories; undefined where they were not counted. */
  readonly used: number | undefined;
  readonly free: number;
  /** What keeps it to its size. */
  readonly quota: string;
}

/** What a look found. */
export type SftpLook =
  | { readonly reached: false; readonly reason: string }
  | {
      readonly reached: true;
      /** What the next `pulumi up` puts right: a phrase each. */
      readonly drift: readonly string[];
      /** What only a person can put right: a phrase each, with the way out. */
      readonly manual: readonly string[];
      readonly notices: readonly string[];
      readonly facts: SftpFacts;
    };

const PATIENCE_SECONDS = { quick: 120, thorough: 600 };

/** Runs of the sealing that may fail to come before it is said. */
const MISSED_RUNS = 3;

/**
 * Looks at a peer. It never throws for what the peer is or does not do.
 *
 * @param options - `thorough`: whether to count what takes long, used bytes; true when left out.
 */
export async function lookAtSftp(
  connection: SshConnection,
  place: SftpPlace,
  options: { readonly thorough?: boolean; readonly signal?: AbortSignal } = {},
): Promise<SftpLook> {
  const { thorough = true, signal } = options;
  const seconds = thorough ? PATIENCE_SECONDS.thorough : PATIENCE_SECONDS.quick;
  const patience = AbortSignal.timeout(seconds * 1000);
  try {
    const { exitCode, stdout, stderr } = await runOnPeer(
      { perDialTimeout: 10, ...connection },
      asRoot("look"),
      {
        input: sftpLookScript(place, thorough),
        signal: signal === undefined ? patience : AbortSignal.any([signal, patience]),
      },
    );
    if (exitCode === 0 && /^looked$/m.test(stdout)) return judge(stdout, place);
    const last = stderr.trim().split("\n").at(-1) ?? "";
    return { reached: false, reason: `its shell ended with ${exitCode}: ${excerpt(last)}` };
  } catch (error) {
    signal?.throwIfAborted();
    const late = patience.aborted ? `gave no answer within ${seconds} seconds` : undefined;
    return { reached: false, reason: late ?? messageOf(error) };
  }
}

/** Makes sense of what the script printed; exported for tests. */
export function judge(output: string, { dataDir }: SftpPlace): SftpLook & { reached: true } {
  const drift: string[] = [];
  const manual: string[] = [];
  const notices: string[] = [];
  const hosts: SftpHostFacts[] = [];
  const values = new Map<string, string>();
  for (const line of output.split("\n")) {
    const space = line.indexOf(" ");
    const word = space === -1 ? line : line.slice(0, space);
    const rest = space === -1 ? "" : line.slice(space + 1);
    if (word === "absent") drift.push(`there is no SFTP directory of ours in ${dataDir}`);
    else if (word === "unmounted") {
      manual.push(
        `the disk that /etc/fstab has for ${printable(rest)} is not mounted, and the backups are on it. Mount it there: mount ${printable(rest)}`,
      );
    } else if (word === "pending") drift.push("an installation was cut off half-way");
    else if (word === "changed") drift.push(`${printable(rest)} was changed by hand`);
    else if (word === "unscheduled")
      drift.push("nothing seals what arrives there: it can be destroyed");
    else if (word === "unconfined") {
      drift.push(
        `sshd does not keep these users to SFTP in their folders (${printable(rest)}): another Match block of its settings decides first, or ours is gone`,
      );
    } else if (word === "host") hosts.push(hostFacts(rest));
    else values.set(word, rest);
  }
  const now = seconds(values.get("now")) ?? new Date();
  const sealed = sealedFacts(values.get("sealed"));
  if (!output.split("\n").some((line) => /^(?:absent$|unmounted )/.test(line))) {
    judgeSealing({ sealed, now, dataDir, hosts }, { drift, manual, notices });
  }
  const facts: SftpFacts = {
    ...{ now, sealed, hosts },
    used: count(values.get("used")),
    free: count(values.get("free")) ?? 0,
    quota: printable(values.get("quota") ?? ""),
  };
  return { reached: true, drift, manual, notices, facts };
}

function judgeSealing(
  seen: Pick<SftpFacts, "sealed" | "now" | "hosts"> & { readonly dataDir: string },
  say: { drift: string[]; manual: string[]; notices: string[] },
): void {
  const { sealed, now, dataDir, hosts } = seen;
  const unsealed = hosts.reduce((sum, host) => sum + host.unsealed, 0);
  if (sealed === undefined) {
    say.notices.push(
      `what arrives is not sealed yet: the first run is within ${SEAL_MINUTES} minutes of the installation`,
    );
    return;
  }
  const minutes = Math.floor((now.getTime() - sealed.at.getTime()) / 60_000);
  if (minutes > MISSED_RUNS * SEAL_MINUTES && unsealed > 0) {
    say.manual.push(
      `the sealing has not run for ${minutes} minutes, and ${counted(unsealed, "file")} could be destroyed with the hub's key. Look at the peer why: sh ${dataDir}/sftp/seal.sh`,
    );
  }
  if (sealed.waiting > 0) {
    say.manual.push(
      `${counted(sealed.waiting, "file")} could not be sealed: not what the name says, or the disk is full. Look at the peer: sh -x ${dataDir}/sftp/seal.sh`,
    );
  }
  if (sealed.damaged > 0) {
    say.manual.push(
      `${counted(sealed.damaged, "file")} arrived damaged or forged, and lie in ${dataDir}/damaged; the hub sends them again. Find out why, then delete them there`,
    );
  }
}

function hostFacts(text: string): SftpHostFacts {
  const [name = "", snapshots, newest, unsealed] = text.split(/ +/);
  return {
    name: printable(name),
    snapshots: count(snapshots) ?? 0,
    newest: count(newest) === 0 ? undefined : seconds(newest),
    unsealed: count(unsealed) ?? 0,
  };
}

function sealedFacts(text: string | undefined): SftpFacts["sealed"] {
  const [at, waiting, damaged] = (text ?? "").split(" ");
  const when = seconds(at);
  if (when === undefined) return undefined;
  return { at: when, waiting: count(waiting) ?? 0, damaged: count(damaged) ?? 0 };
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function seconds(text: string | undefined): Date | undefined {
  const value = count(text);
  return value === undefined || value > 1e11 ? undefined : new Date(value * 1000);
}
