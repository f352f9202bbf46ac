import { lastLines, runProgram } from "../program.ts";
import type { Check } from "../../settings.ts";
import type { Verdict } from "./verdict.ts";

/** What a host's own check is told. */
export interface CheckPlace {
  readonly host: string;
  readonly target: string;
  /** The folder of what was restored; the check is run in it. */
  readonly restored: string;
}

/** Runs a host's own check. Exit code 0 passes. */
export async function runOwnCheck(check: Check, place: CheckPlace): Promise<Verdict> {
  const [program, ...args] = check.command;
  const result = await runProgram({
    command: [program, ...args],
    cwd: place.restored,
    env: {
      OFFSITE_HOST: place.host,
      OFFSITE_TARGET: place.target,
      OFFSITE_RESTORED: place.restored,
    },
    timeoutSeconds: check.timeoutSeconds,
  });
  if (result.exitCode === 0) return { outcome: "passed", detail: lastLines(result.stdout) };
  return { outcome: "failed", detail: result.problem };
}
