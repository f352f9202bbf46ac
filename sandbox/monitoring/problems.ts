/** What status would find wrong with a made-up household, in its words. */
import type { HostStatus, TargetStatus } from "../../hub/status/report.ts";

/** Of the hosts. */
export function hostProblems(hosts: Readonly<Record<string, HostStatus>>): string[] {
  return Object.entries(hosts).flatMap(([host, { outcome, lastBackup }]) =>
    outcome === "ok" || lastBackup === null
      ? []
      : [
          `${host}: overdue: its newest snapshot arrived ${Math.floor(lastBackup.ageSeconds / 3600)} h ago (${lastBackup.arrived.slice(0, 16).replace("T", " ")} UTC), and 48 h are allowed. Look at its backup`,
        ],
  );
}

/** Of the targets. */
export function targetProblems(targets: Readonly<Record<string, TargetStatus>>): string[] {
  return Object.entries(targets).flatMap(([target, { hosts }]) => {
    const failed = Object.entries(hosts).filter(([, { mirror }]) => mirror?.outcome === "failed");
    const damaged = Object.entries(hosts).filter(([, { verify }]) => verify?.outcome === "failed");
    const names = (of: typeof failed): string => of.map(([host]) => host).join(", ");
    const why = (of: typeof failed, kind: "mirror" | "verify"): string => {
      const run = of[0]?.[1][kind];
      return `the last ${kind} (${(run?.started ?? "").slice(0, 16).replace("T", " ")} UTC) failed: ${run?.errors[0] ?? ""}`;
    };
    return [
      ...(failed.length > 0 ? [`${target}: ${names(failed)}: ${why(failed, "mirror")}`] : []),
      ...(damaged.length > 0 ? [`${target}: ${names(damaged)}: ${why(damaged, "verify")}`] : []),
    ];
  });
}
