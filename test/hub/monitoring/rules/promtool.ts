/** Runs alerts over series with promtool, as Prometheus would. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { parse, stringify } from "yaml";
import { z } from "zod";

export const RULES_FILE = join(import.meta.dirname, "../../../../hub/monitoring/rules.yml");

const ruleSchema = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string().optional(),
  keep_firing_for: z.string().optional(),
  labels: z.strictObject({ severity: z.enum(["critical", "warning"]) }),
  annotations: z.strictObject({
    summary: z.string(),
    description: z.string(),
    runbook_url: z.string(),
  }),
});

/** One alert. */
export type Rule = z.infer<typeof ruleSchema>;

/** All alerts, in their order. */
export const RULES: readonly Rule[] = z
  .strictObject({
    groups: z.array(z.strictObject({ name: z.string(), rules: z.array(ruleSchema) })),
  })
  .parse(parse(readFileSync(RULES_FILE, "utf8")))
  .groups.flatMap(({ rules }) => rules);

/**
 * Series, and what is to fire over them. A series is its name and labels with promtool's shorthand
 * for its values, one every five minutes; time() begins at 0. Where it names no instance it is of the
 * hub "ursula", and so is what fires.
 */
export interface Case {
  readonly alert: string;
  readonly title: string;
  readonly series: Readonly<Record<string, string>>;
  /** When to look: "49h". */
  readonly at: string;
  /** The labels of each alert that fires, but severity; empty where none does. */
  readonly fires: readonly Readonly<Record<string, string>>[];
}

const HUB = { instance: "ursula:9100", job: "node" };

/** Five minutes each: a value for a time, `held(1, 48)` for 48 hours. */
export function held(value: number, hours: number): string {
  return `${value}x${Math.round(hours * 12)}`;
}

/** No value for a time. */
export function gap(hours: number): string {
  return `_x${Math.round(hours * 12)}`;
}

/** A time that follows the clock from `start` on, as of a command that runs all the time. */
export function ticking(hours: number, start = 0): string {
  return `${start}+300x${Math.round(hours * 12)}`;
}

/** The hour in seconds. */
export function hour(hours: number): number {
  return hours * 3600;
}

function seriesOf(name: string): string {
  const [metric = "", labels = ""] = name.split(/[{}]/);
  if (/\binstance=/.test(labels) || labels === "-") {
    return labels === "-" ? metric : name;
  }
  const all = [labels, `instance="${HUB.instance}"`, `job="${HUB.job}"`].filter((each) => each);
  return `${metric}{${all.join(", ")}}`;
}

/**
 * Has promtool look at cases, each by itself, with some of the alerts alone and without their texts.
 *
 * @returns what it found wrong, with the title of each case that failed; empty where all is as it is
 * said.
 * @param together - whether all cases are of the same series.
 */
export async function failures(
  cases: readonly Case[],
  rules: readonly Rule[],
  together = false,
): Promise<string> {
  const severities = new Map(RULES.map(({ alert, labels }) => [alert, labels.severity]));
  const bare = rules.map((rule) => ({ ...rule, annotations: undefined }));
  const all = cases.map(({ alert, title, series, at, fires }) => ({
    name: title,
    interval: "5m",
    input_series: inputs(series),
    alert_rule_test: [
      {
        eval_time: at,
        alertname: alert,
        exp_alerts: fires.map((labels) => ({
          exp_labels: { severity: severities.get(alert), ...expected(labels) },
        })),
      },
    ],
  }));
  const [first] = all;
  const looks = all.flatMap((each) => each.alert_rule_test);
  const tests = together && first !== undefined ? [{ ...first, alert_rule_test: looks }] : all;
  const groups = [{ name: "tested", rules: bare }];
  return await run({ groups }, tests, together ? "15m" : "5m");
}

/**
 * The texts of an alert that fires over series.
 *
 * @returns what promtool got instead of nothing.
 */
export async function textsOf({ alert, title, series, at }: Case): Promise<string> {
  const rules = RULES.filter((rule) => rule.alert === alert);
  const test = {
    name: title,
    interval: "5m",
    input_series: inputs(series),
    alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: [] }],
  };
  return await run({ groups: [{ name: "tested", rules }] }, [test]);
}

function inputs(series: Case["series"]) {
  return Object.entries(series).map(([name, values]) => ({ series: seriesOf(name), values }));
}

/** `{ "-": "" }` is for an alert of no instance. */
function expected(labels: Readonly<Record<string, string>>): Record<string, string> {
  const { "-": none, ...others } = labels;
  return none === undefined ? { ...HUB, ...others } : others;
}

/** @param interval - how often the alerts are looked at; a value comes every five minutes. */
async function run(rules: object, tests: readonly object[], interval = "5m"): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "offsite-rules-"));
  try {
    writeFileSync(join(folder, "rules.yml"), stringify(rules));
    const file = join(folder, "test.yml");
    const head = { rule_files: ["rules.yml"], evaluation_interval: interval };
    writeFileSync(file, stringify({ ...head, tests }));
    const { exitCode, stdout, stderr } = await execa("promtool", ["test", "rules", file], {
      reject: false,
    });
    return exitCode === 0 ? "" : `${stdout}\n${stderr}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
