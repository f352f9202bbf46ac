/** The report for programs. */
import type { Finding } from "../../policy/model.ts";
import type { Operation } from "./changes.ts";
import type { Cost } from "./cost.ts";
import type { Fate } from "./data.ts";
import type { Origin } from "./markdown.ts";
import { plain, type Phrase } from "./phrase.ts";
import { isFatal } from "./data.ts";
import { byOperation, type Report, type Verdict } from "./report.ts";

/** What `offsite report --json` prints. It changes only compatibly. */
export interface ReportJson {
  readonly version: 1;
  readonly stack: string;
  readonly commit: string | null;
  readonly verdict: Verdict;
  readonly mergeable: boolean;
  readonly reason: string;
  /** null where the preview came to its end. */
  readonly failure: Report["failure"] | null;
  readonly dangers: readonly {
    readonly fate: Fate;
    readonly fatal: boolean;
    readonly what: string;
    readonly data: string;
  }[];
  readonly policy: readonly Finding[];
  readonly readers: readonly string[];
  readonly credentials: readonly string[];
  readonly deploy: {
    /** The hub's name; null where it needs no deployment. */
    readonly hub: string | null;
    readonly hosts: readonly string[];
    readonly order: readonly string[];
  };
  readonly changes: Readonly<
    Record<Operation, { readonly count: number; readonly what: readonly string[] }>
  >;
  readonly cost: Cost;
  readonly drift: readonly string[];
  readonly warnings: readonly string[];
  readonly details: readonly { readonly title: string; readonly lines: readonly string[] }[];
}

/** Makes it. */
export function reportJson(report: Report, { commit }: Origin = {}): ReportJson {
  const { stack, verdict, mergeable, reason, failure, dangers, policy, credentials } = report;
  const all = (phrases: readonly Phrase[]) => phrases.map(plain);
  const change = (operation: Operation) => ({
    count: report.counts[operation],
    what: all(report.changes[operation]),
  });
  return {
    version: 1,
    ...{ stack, commit: commit ?? null, verdict, mergeable, reason: plain(reason) },
    failure: failure ?? null,
    dangers: dangers.map((danger) => ({
      fate: danger.fate,
      fatal: isFatal(danger),
      what: plain(danger.what),
      data: plain(danger.data),
    })),
    policy,
    readers: all(credentials.readers),
    credentials: all(credentials.turning),
    deploy: {
      hub: credentials.machines.hub ?? null,
      hosts: credentials.machines.hosts,
      order: all(credentials.machines.order),
    },
    changes: byOperation(change),
    cost: report.cost,
    drift: all(report.findings.drift),
    warnings: all(report.findings.warnings),
    details: report.details.map(({ title, lines }) => ({ title: plain(title), lines })),
  };
}
