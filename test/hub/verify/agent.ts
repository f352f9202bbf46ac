import type { HostVerification, VerifyReport } from "../../../hub/verify/report.ts";
import type { World } from "../world.ts";

/** What a run of `offsite-hub verify` came to. */
export interface Verified {
  readonly exitCode: number | undefined;
  readonly stderr: string;
  readonly report: VerifyReport;
}

/** Runs `offsite-hub verify --json`. */
export async function verify(world: World, ...args: string[]): Promise<Verified> {
  const run = await world.start("verify", "--wait", "1", "--json", ...args);
  const report = (run.stdout === "" ? undefined : JSON.parse(run.stdout)) as VerifyReport;
  return { exitCode: run.exitCode, stderr: run.stderr, report };
}

/** The report on one host at one target. */
export function host(run: Verified, target: string, name: string): HostVerification {
  const report = run.report.targets[target]?.hosts[name];
  if (report === undefined) throw new Error(`no report on ${target} ${name}: ${run.stderr}`);
  return report;
}
