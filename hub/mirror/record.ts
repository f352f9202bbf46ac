import { messageOf } from "../errors.ts";
import { recordResult } from "../results.ts";
import type { HostReport } from "./report.ts";

/**
 * Remembers how the mirror of a host went. It is a success where the target was complete and a
 * listing bore it out. A host that has never backed up leaves nothing: it was never mirrored. What
 * cannot be written becomes an error of the report.
 */
export function tryToRecord(
  state: string,
  target: string,
  host: string,
  started: Date,
  report: HostReport,
): void {
  if (report.outcome === "absent" || report.outcome === "planned") return;
  const { files, bytes, waitingFiles, waitingBytes, snapshots, hidden } = report;
  const { credential, generation, accepted, heldBytes } = report;
  try {
    recordResult(state, "mirror", target, host, {
      started: started.toISOString(),
      seconds: (Date.now() - started.getTime()) / 1000,
      outcome: report.outcome === "complete" && report.verified ? "ok" : "failed",
      errors: [...report.errors, ...report.asks],
      facts: {
        ...{ files, bytes, waitingFiles, waitingBytes, snapshots, hidden },
        ...{ credential, generation, accepted, heldBytes },
      },
    });
  } catch (error) {
    report.errors.push(`cannot write down the result: ${messageOf(error)}`);
  }
}
