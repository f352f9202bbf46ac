/** What a comparison's findings mean, and the way out of each: one line a finding. */
import { counted, size } from "../format.ts";
import { lookAtHub } from "./at-hub.ts";
import type { Finding } from "./compare.ts";
import { named, type HostVerification } from "./report.ts";

/** Where the findings were made. */
export interface Place {
  /** The target's name. */
  readonly name: string;
  readonly host: string;
  /** The host's repository there for rclone; undefined at a rest-server. */
  readonly at: string | undefined;
  /** The host's repository at the hub. */
  readonly directory: string;
}

/** Adds errors for what is not as it must be, and a notice of what waits. */
export async function complain(report: HostVerification, place: Place): Promise<void> {
  const { missing, strangers, waiting, lastMirror } = report;
  if (missing.count > 0) {
    const since =
      lastMirror === null
        ? "and no complete mirror is known"
        : `though a mirror that began later was complete (${lastMirror})`;
    report.errors.push(
      `missing: ${files(missing)}, ${since}: ${named(missing)}. ` +
        `Run "offsite-hub mirror ${place.name} --host ${place.host}"`,
    );
  }
  const wrong = { size: report.wrongSize, content: report.wrongHash };
  for (const [what, finding] of Object.entries(wrong)) {
    if (finding.count === 0) continue;
    report.errors.push(
      `damaged there, with another ${what} than the hub's: ${files(finding)}: ${named(finding)}. ` +
        (await wayOut(place, finding, what === "size")),
    );
  }
  if (strangers.count > 0) {
    report.errors.push(
      `never sent by the hub: ${files(strangers)}: ${named(strangers)}. Somebody else can write there: find out ` +
        "who, rotate the target's credentials, and remove the files there as the operator",
    );
  }
  if (waiting.count > 0) {
    report.notices.push(
      `${files(waiting)} came to the hub after the last complete mirror had begun, and wait for the next`,
    );
  }
}

/**
 * How damaged copies are mended.
 *
 * @param visible - whether the mirror sees the damage in a listing.
 */
export async function wayOut(place: Place, finding: Finding, visible: boolean): Promise<string> {
  const { at } = place;
  const { damaged, gone } = await lookAtHub(place.directory, finding);
  const [first] = damaged;
  if (first !== undefined) {
    return `The hub's own copy is no better (${first}): restore it from another target first`;
  }
  if (gone.length === finding.paths.length) {
    const versions = at === undefined ? "" : "; the versions before these may still be there";
    return `The hub no longer has them, only old snapshots there need them${versions}`;
  }
  const but = gone[0] === undefined ? "" : `, but for what the hub no longer has (${gone[0]})`;
  if (at === undefined) {
    return `Remove them there as the operator, and the next mirror sends them again${but}`;
  }
  if (visible) return `The next mirror sends them again${but}`;
  return `Hide each of them (rclone deletefile ${at}/…), and the next mirror sends them again${but}`;
}

function files(finding: Finding): string {
  return `${counted(finding.count, "file")} (${size(finding.bytes)})`;
}
