/** The guests of the hub: what they keep here, seen from their files alone. */
import { lstatSync, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../../config/manifest.ts";
import { messageOf } from "../errors.ts";
import { printable, size } from "../format.ts";
import type { Settings } from "../settings.ts";
import { age, when, type Findings } from "./findings.ts";
import type { GuestStatus } from "./report.ts";

/** What guests are judged by. */
export interface GuestEvidence {
  readonly manifest: Manifest;
  readonly settings: Settings;
  readonly now: number;
}

const GIB = 2 ** 30;
const DAY = 86_400;
/** What hub/guests/serve.sh lets a repository take of the disk beside what its files hold. */
const MARGIN = { share: 0.05, bytes: 64 * 2 ** 20 };

/**
 * Judges every guest of the manifest, and looks for what is left of others. That somebody else's
 * machine does not back up is no problem of the hub's; that its disk is in danger is one.
 */
export function judgeGuests(
  { manifest, settings, now }: GuestEvidence,
  problems: Findings,
  notices: Findings,
): Record<string, GuestStatus> {
  const { guests = {}, hub } = manifest;
  const directory = hub.guestRepositories;
  if (directory === undefined) return {};
  const found = Object.entries(guests).map(([name, { maxSizeGiB }]) => {
    const limit = Math.floor(maxSizeGiB * GIB);
    const scan = scanGuest(join(directory, name));
    judge(name, scan, { limit, now, settings: settings.guests }, problems, notices);
    return [name, statusOf(scan, limit, now)] as const;
  });
  const left = foldersIn(directory).filter((name) => !Object.hasOwn(guests, name));
  for (const name of left) {
    const { bytes } = scanGuest(join(directory, name));
    notices.add(
      "",
      "",
      `"${printable(join(directory, name))}" (${size(bytes)}) belongs to no guest any more and nobody serves it: delete it, or put the guest back into the config`,
    );
  }
  judgeRoom(
    directory,
    found.map(([, status]) => status),
    notices,
  );
  return Object.fromEntries(found);
}

/** A guest's directory. Times are milliseconds since 1970. */
interface GuestScan {
  present: boolean;
  files: number;
  bytes: number;
  diskBytes: number;
  snapshots: number;
  newest: number;
  error: string | undefined;
}

function scanGuest(directory: string): GuestScan {
  const scan: GuestScan = {
    ...{ present: false, files: 0, bytes: 0, diskBytes: 0, snapshots: 0, newest: 0 },
    error: undefined,
  };
  walk(directory, "", scan);
  return scan;
}

/** Takes a folder in with all below it. Links are not followed: the guest's server makes none. */
function walk(folder: string, kind: string, scan: GuestScan): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat === undefined) continue;
      scan.diskBytes += stat.blocks * 512;
      if (entry.isDirectory()) {
        walk(path, entry.name, scan);
        continue;
      }
      scan.files += 1;
      scan.bytes += stat.size;
      if (entry.name === "config") scan.present = true;
      if (kind !== "snapshots" || !/^[0-9a-f]{64}$/.test(entry.name)) continue;
      scan.snapshots += 1;
      scan.newest = Math.max(scan.newest, stat.mtimeMs);
    }
  } catch (error) {
    // What goes while this looks is left out, and what was never there has no files.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") scan.error ??= messageOf(error);
  }
}

function statusOf(scan: GuestScan, limitBytes: number, now: number): GuestStatus {
  const { present, files, bytes, diskBytes, snapshots, newest, error } = scan;
  return {
    ...{ seen: present, readable: error === undefined, files, bytes, diskBytes, limitBytes },
    snapshots,
    lastBackup:
      snapshots === 0
        ? null
        : {
            arrived: new Date(newest).toISOString(),
            ageSeconds: Math.max(0, Math.round((now - newest) / 1000)),
          },
  };
}

function judge(
  name: string,
  scan: GuestScan,
  { limit, now, settings }: { limit: number; now: number; settings: Settings["guests"] },
  problems: Findings,
  notices: Findings,
): void {
  const guest = `guest ${name}`;
  if (scan.error !== undefined) {
    problems.add("", guest, `cannot read all of its repository: ${scan.error}`);
  }
  if (scan.diskBytes > limit * (1 + MARGIN.share) + MARGIN.bytes) {
    problems.add(
      "",
      guest,
      `takes ${size(scan.diskBytes)} of the disk, and its limit is ${size(limit)}: no ordinary use of restic does that, and it is not served until it is less. Ask its owner, and see docs/guests.md`,
    );
  } else if (scan.bytes >= (limit * settings.fullPercent) / 100) {
    const share = Math.floor((scan.bytes * 100) / limit);
    notices.add(
      "",
      guest,
      `holds ${share} % of its limit of ${size(limit)}, above which it is refused: raise maxSizeGiB in the stack's config, or let its owner prune (docs/guests.md)`,
    );
  }
  if (scan.snapshots === 0) {
    if (scan.error === undefined) notices.add("", guest, "has no snapshot here yet");
    return;
  }
  const seconds = (now - scan.newest) / 1000;
  if (seconds <= settings.quietDays * DAY) return;
  notices.add(
    "",
    guest,
    `has not backed up for ${age(seconds)} (${when(scan.newest)}): tell its owner`,
  );
}

/** The hosts' repositories may be on the same disk. */
function judgeRoom(directory: string, guests: readonly GuestStatus[], notices: Findings): void {
  const due = guests.reduce(
    (sum, { limitBytes, bytes }) => sum + Math.max(0, limitBytes - bytes),
    0,
  );
  try {
    const { bavail, bsize } = statfsSync(directory);
    if (bavail * bsize >= due) return;
    notices.add(
      "",
      "",
      `guests may still send ${size(due)}, and ${size(bavail * bsize)} are free where their repositories are: lower their limits or make room`,
    );
  } catch {
    // The directory is made when the hub is deployed.
  }
}

function foldersIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}
