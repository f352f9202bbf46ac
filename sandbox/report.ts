/** What a run of the sandbox found, for people and for programs. */
import Table from "cli-table3";
import type { Refusal } from "./refusals.ts";

/** One step of the run. */
export interface StepReport {
  readonly step: string;
  readonly seconds: number;
  readonly outcome: string;
}

/** Where a host's data stands. */
export interface HostReport {
  readonly host: string;
  readonly files: number;
  readonly snapshots: number;
  /** For each target: whether what was restored from it is what was backed up. */
  readonly restored: Readonly<Record<string, boolean>>;
}

/** `.sandbox/report.json`. */
export interface SandboxReport {
  readonly version: 1;
  readonly ok: boolean;
  readonly error?: string;
  readonly programs: Readonly<
    Record<string, { readonly version: string; readonly origin: string; readonly path: string }>
  >;
  readonly steps: readonly StepReport[];
  readonly hosts: readonly HostReport[];
  readonly refusals: readonly Refusal[];
  readonly leaks: readonly string[];
  /** Calls that the mirror and all else made to the B2 emulator, by transaction class. */
  readonly b2Calls?: Readonly<Record<string, number>>;
}

const yesNo = (value: boolean | undefined) => (value === true ? "identical" : "NOT RESTORED");

/** Plain lines and columns: no frames, no colours, so that it reads well in a log. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const none = "";
  const lines = new Table({
    head: [...head],
    chars: {
      top: none,
      "top-mid": none,
      "top-left": none,
      "top-right": none,
      bottom: none,
      "bottom-mid": none,
      "bottom-left": none,
      "bottom-right": none,
      left: none,
      "left-mid": none,
      mid: none,
      "mid-mid": none,
      right: none,
      "right-mid": none,
      middle: "  ",
    },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  lines.push(...rows.map((row) => [...row]));
  return lines.toString();
}

/** The report as the short tables that end a run. */
export function renderReport(report: SandboxReport): string {
  const targets = [...new Set(report.hosts.flatMap(({ restored }) => Object.keys(restored)))];
  const parts = [
    table(
      ["host", "files", "snapshots", ...targets.map((name) => `from ${name}`)],
      report.hosts.map((each) => [
        each.host,
        String(each.files),
        String(each.snapshots),
        ...targets.map((name) => yesNo(each.restored[name])),
      ]),
    ),
    table(
      ["what must be refused", "", ""],
      report.refusals.map(({ attempt, outcome, refused }) => [
        attempt,
        outcome,
        refused ? "as it must be" : "NOT REFUSED",
      ]),
    ),
    table(
      ["step", "seconds", ""],
      report.steps.map(({ step, seconds, outcome }) => [step, seconds.toFixed(1), outcome]),
    ),
  ];
  return parts.join("\n\n");
}
