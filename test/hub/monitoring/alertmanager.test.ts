import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { RULES } from "./rules/promtool.ts";

const CONFIG = join(import.meta.dirname, "../../../hub/monitoring/alertmanager.yml");

/** An alert: its name, and labels other than instance and severity. */
type Alert = readonly [name: string, labels?: Readonly<Record<string, string>>];

const Q = { host: "q", target: "peer" };

function labelsOf([alertname, labels = {}]: Alert): Record<string, string> {
  const severity = RULES.find(({ alert }) => alert === alertname)?.labels.severity;
  if (severity === undefined) throw new Error(`no such alert: ${alertname}`);
  return { alertname, severity, ...labels };
}

async function receiverOf(alert: Record<string, string>): Promise<string> {
  const labels = Object.entries(alert).map(([name, value]) => `${name}=${value}`);
  const args = ["config", "routes", "test", `--config.file=${CONFIG}`, ...labels];
  return (await execa("amtool", args)).stdout.trim();
}

describe("the example for Alertmanager", () => {
  it("is what amtool accepts, and holds no secret", async () => {
    const { stdout } = await execa("amtool", ["check-config", CONFIG]);
    expect(stdout).toContain("SUCCESS");
    const text = readFileSync(CONFIG, "utf8");
    expect(text).not.toMatch(/^\s*(smtp_auth_password|password|credentials|bearer_token):/m);
  });

  it("tells what is critical at once and the rest once a day, and leaves other alerts alone", async () => {
    for (const severity of ["critical", "warning"] as const) {
      const rule = RULES.find(({ labels }) => labels.severity === severity);
      const alert = labelsOf([rule?.alert ?? ""]);
      expect(await receiverOf(alert)).toBe(severity === "critical" ? "at-once" : "daily");
    }
    expect(await receiverOf({ alertname: "PrinterOnFire", severity: "critical" })).toBe("mail");
  });

  it("names no alert that there is not", () => {
    const text = readFileSync(CONFIG, "utf8");
    const names = RULES.map(({ alert }) => alert);
    const patterns = [...text.matchAll(/alertname (?:=~|!~|!=|=) "([^"]+)"/g)].flatMap(
      ([, pattern = ""]) => splitAlternatives(pattern),
    );
    expect(patterns.length).toBeGreaterThan(20);
    for (const pattern of patterns) {
      expect(
        names.some((name) => new RegExp(`^(?:${pattern})$`).test(name)),
        pattern,
      ).toBe(true);
    }
  });
});

/** At the outermost `|`. */
function splitAlternatives(pattern: string): string[] {
  return pattern.split(/\|(?![^(]*\))/);
}

const inhibitionSchema = z.object({
  inhibit_rules: z.array(
    z.strictObject({
      source_matchers: z.array(z.string()),
      target_matchers: z.array(z.string()),
      equal: z.array(z.string()),
    }),
  ),
});

const RULES_OF_INHIBITION = inhibitionSchema.parse(
  parse(readFileSync(CONFIG, "utf8")),
).inhibit_rules;

type Labels = Readonly<Record<string, string>>;

/** As Alertmanager has it: a pattern is of the whole value, a label that is missing is empty. */
function matches(matcher: string, labels: Labels): boolean {
  const [, name = "", operator, value = ""] = /^(\w+) (=~|!~|!=|=) "([^"]*)"$/.exec(matcher) ?? [];
  if (operator === undefined) throw new Error(`no matcher: ${matcher}`);
  const given = labels[name] ?? "";
  const holds = operator.endsWith("~") ? new RegExp(`^(?:${value})$`).test(given) : given === value;
  return operator.startsWith("!") ? !holds : holds;
}

/**
 * Whether one of the alerts has another silenced: amtool can tell the routes of an alert, and not
 * this. An alert that is on both sides of a rule is not silenced by another such (Alertmanager's
 * documentation of inhibit_rule).
 */
function isSilenced(labels: Labels, all: readonly Labels[]): boolean {
  return RULES_OF_INHIBITION.some(({ source_matchers, target_matchers, equal }) => {
    const isSource = (each: Labels): boolean => source_matchers.every((one) => matches(one, each));
    const isTarget = (each: Labels): boolean => target_matchers.every((one) => matches(one, each));
    return (
      isTarget(labels) &&
      all.some(
        (other) =>
          isSource(other) &&
          !(isSource(labels) && isTarget(other)) &&
          equal.every((name) => (labels[name] ?? "") === (other[name] ?? "")),
      )
    );
  });
}

function nameOf({ alertname = "", host = "", target = "" }: Record<string, string>): string {
  return [alertname, host, target].join(" ").trim();
}

interface Story {
  readonly title: string;
  readonly alerts: readonly Alert[];
  /** Those of them that nobody is told of. */
  readonly silent: readonly Alert[];
}

const OTHER = { host: "q", target: "cloud" };
const MINOS = { host: "minos", target: "peer" };

const STORIES: readonly Story[] = [
  {
    title: "all that follows from a hub that is down, and nothing of another machine",
    alerts: [
      ["OffsiteHubDown"],
      ["OffsiteMetricsGone"],
      ["OffsiteBackupOverdue", { host: "q" }],
      ["OffsiteMirrorOverdue", Q],
      ["OffsiteBackupOverdue", { host: "attic", instance: "attic:9100" }],
    ],
    silent: [
      ["OffsiteMetricsGone"],
      ["OffsiteBackupOverdue", { host: "q" }],
      ["OffsiteMirrorOverdue", Q],
    ],
  },
  {
    title: "that there are no metrics at all, days after the hub went down",
    alerts: [["OffsiteHubDown"], ["OffsiteMetricsAbsent", { instance: "" }]],
    silent: [["OffsiteMetricsAbsent", { instance: "" }]],
  },
  {
    title: "what metrics say that have gone stale, and not that they have",
    alerts: [
      ["OffsiteMetricsStale"],
      ["OffsiteBackupOverdue", { host: "q" }],
      ["OffsiteDiskFull", { folder: "repositories" }],
      ["OffsiteClientBackupFailed"],
    ],
    silent: [
      ["OffsiteBackupOverdue", { host: "q" }],
      ["OffsiteDiskFull", { folder: "repositories" }],
    ],
  },
  {
    title: "at a target that did not answer, what is no danger yet; at others nothing",
    alerts: [
      ["OffsiteTargetUnreachable", { target: "peer" }],
      ["OffsiteMirrorFailed", Q],
      ["OffsiteVerifyFailed", MINOS],
      ["OffsiteTargetBehind", Q],
      ["OffsiteMirrorOverdue", Q],
      ["OffsiteMirrorFailed", OTHER],
      ["OffsiteTargetFilesMissing", Q],
    ],
    silent: [
      ["OffsiteMirrorFailed", Q],
      ["OffsiteVerifyFailed", MINOS],
      ["OffsiteTargetBehind", Q],
    ],
  },
  {
    title: "at a target that is gone, all that follows, whatever its severity",
    alerts: [
      ["OffsiteTargetGone", { target: "peer" }],
      ["OffsiteTargetUnreachable", { target: "peer" }],
      ["OffsiteMirrorOverdue", Q],
      ["OffsiteDrillOverdue", Q],
      ["OffsiteMirrorOverdue", OTHER],
      ["OffsiteBackupOverdue", { host: "q" }],
    ],
    silent: [
      ["OffsiteTargetUnreachable", { target: "peer" }],
      ["OffsiteMirrorOverdue", Q],
      ["OffsiteDrillOverdue", Q],
    ],
  },
  {
    title: "that a host is overdue where it was never seen, and not that another is",
    alerts: [
      ["OffsiteBackupNeverSeen", { host: "q" }],
      ["OffsiteBackupOverdue", { host: "q" }],
      ["OffsiteBackupOverdue", { host: "minos" }],
    ],
    silent: [["OffsiteBackupOverdue", { host: "q" }]],
  },
  {
    title: "a failed mirror or verify where something worse is said of the same",
    alerts: [
      ["OffsiteMirrorOverdue", Q],
      ["OffsiteMirrorFailed", Q],
      ["OffsiteMirrorFailed", MINOS],
      ["OffsiteTargetFilesDamaged", Q],
      ["OffsiteVerifyFailed", Q],
    ],
    silent: [
      ["OffsiteMirrorFailed", Q],
      ["OffsiteVerifyFailed", Q],
    ],
  },
  {
    title: "nothing that is critical because of a warning, but what a wrong clock makes of ages",
    alerts: [
      ["OffsiteClockWrong", { host: "q" }],
      ["OffsiteRepositoryShrank", { host: "q" }],
      ["OffsiteTargetUnreachable", { target: "peer" }],
      ["OffsiteTargetFull", { target: "peer" }],
      ["OffsiteKeyEnded", { target: "cloud", key: "current" }],
      ["OffsiteSuspiciousSnapshots", { host: "q" }],
    ],
    silent: [["OffsiteTargetUnreachable", { target: "peer" }]],
  },
];

describe("the example's inhibition silences", () => {
  it.each(STORIES.map((story) => [story.title, story] as const))("%s", (_title, story) => {
    const all = story.alerts.map((alert) => ({ instance: "ursula:9100", ...labelsOf(alert) }));
    const silenced = all.filter((labels) => isSilenced(labels, all)).map(nameOf);
    expect(silenced.sort()).toEqual(story.silent.map((alert) => nameOf(labelsOf(alert))).sort());
  });
});
