/** The report as a comment: read in ten seconds, and the details folded away below. */
import type { CostDifference } from "../cost/report.ts";
import type { Operation } from "./changes.ts";
import type { Detail } from "./details.ts";
import { escaped, fenced, markdown, names, say, type Phrase } from "./phrase.ts";
import { findingPhrase, type Report, type Verdict } from "./report.ts";

/** A comment at GitHub has at most 65,536 characters. Some room is for what a forge adds. */
export const LONGEST_COMMENT = 60_000;

/** What else is told of where the report comes from. */
export interface Origin {
  /** The commit that was looked at, in hex. */
  readonly commit?: string | undefined;
  /** A sentence on what kind of preview it is. */
  readonly note?: string | undefined;
}

/** By which the one comment of a stack is found again. Always the first line. */
export function marker(stack: string): string {
  // Two hyphens would end the HTML comment in it.
  return `<!-- offsite report: ${stack.replaceAll(/[^\w.]+/g, "-")} -->`;
}

const TITLES: Readonly<Record<Verdict, string>> = {
  failed: "❌ FAILED",
  danger: "🔴 DANGER",
  look: "🟡 Look",
  safe: "🟢 Safe",
  nothing: "⚪ Nothing changes",
};

/** Writes the comment. */
export function reportMarkdown(report: Report, origin: Origin = {}): string {
  const { verdict, reason, stack } = report;
  const head = [
    marker(stack),
    `### ${TITLES[verdict]}: ${markdown(reason)}`,
    summary(report, origin),
    ...(origin.note === undefined ? [] : [`> [!NOTE]\n> ${escaped(origin.note)}`]),
    ...failure(report),
    ...dangers(report),
    ...section("Who can open secrets", report.credentials.readers, "🔴 "),
    ...policy(report),
    ...section("Credentials", report.credentials.turning),
    ...deploy(report),
    ...changes(report),
    ...cost(report),
    ...section("Changed by hand since the last update", report.findings.drift),
    ...section("Warnings", report.findings.warnings),
  ].join("\n\n");
  return `${head}${details(report, LONGEST_COMMENT - head.length)}\n`;
}

const WORDS: Readonly<Record<Operation, string>> = {
  delete: "deleted",
  replace: "replaced",
  update: "changed",
  create: "created",
  import: "imported",
  forget: "forgotten",
};

function summary({ stack, counts, mergeable, verdict }: Report, { commit }: Origin): string {
  const told = (Object.keys(WORDS) as Operation[])
    .filter((operation) => counts[operation] > 0)
    .map((operation) => `${counts[operation]} ${WORDS[operation]}`);
  const what = verdict === "failed" ? "no whole preview" : told.join(", ") || "no change";
  const of = commit === undefined ? "" : ` at ${markdown(say`${commit.slice(0, 10)}`)}`;
  const merge = mergeable ? "" : " · **not to be merged**";
  return `Stack ${markdown(say`${stack}`)}${of}: ${what}${merge}`;
}

function failure({ failure: failed }: Report): string[] {
  if (failed === undefined) return [];
  const said = failed.errors.join("\n\n").slice(0, 6_000);
  return [
    `> [!CAUTION]\n> The preview failed (${escaped(failed.reason)}). What stands below is what was seen until then.`,
    ...(said === "" ? [] : [fenced(said)]),
  ];
}

const MOST = 20;

function dangers({ dangers: all }: Report): string[] {
  const shown = all
    .slice(0, MOST)
    .map(({ what, data }) =>
      [`> [!CAUTION]`, `> **${markdown(what)}**`, `>`, `> ${markdown(data)}`].join("\n"),
    );
  return all.length > MOST ? [...shown, `And ${all.length - MOST} more of that kind.`] : shown;
}

function section(title: string, lines: readonly Phrase[], mark = ""): string[] {
  if (lines.length === 0) return [];
  const shown = lines.slice(0, MOST).map((line) => `- ${mark}${markdown(line)}`);
  const more = lines.length > MOST ? [`- and ${lines.length - MOST} more`] : [];
  return [`**${title}**\n\n${[...shown, ...more].join("\n")}`];
}

/** Of how many findings of one rule a line is told: one mistake is often made for every host. */
const OF_A_RULE = 2;

function policy({ policy: findings }: Report): string[] {
  if (findings.length === 0) return [];
  const rules = [...new Set(findings.map(({ rule, severity }) => `${severity} ${rule}`))];
  const lines = rules.flatMap((key) => {
    const all = findings.filter(({ rule, severity }) => `${severity} ${rule}` === key);
    const mark = key.startsWith("error") ? "❌" : "⚠️";
    const shown = all
      .slice(0, OF_A_RULE)
      .map((each) => `- ${mark} ${markdown(findingPhrase(each))}`);
    const more = all.length - shown.length;
    return more === 0 ? shown : [...shown, `  - and ${more} more of that rule, in the details`];
  });
  return [`**Policy**\n\n${lines.join("\n")}`];
}

function deploy({ credentials: { machines } }: Report): string[] {
  const { hub, hosts, order } = machines;
  if (hub === undefined && hosts.length === 0) return [];
  const who = [
    ...(hub === undefined ? [] : [hub === "" ? "the hub" : markdown(say`the hub ${hub}`)]),
    ...(hosts.length > 0 ? [markdown(names(hosts))] : []),
  ].join(", ");
  return [`**Deploy** ${who}. ${order.map(markdown).join(". ")}.`];
}

function changes({ changes: all, counts }: Report): string[] {
  const lines = (Object.keys(WORDS) as Operation[]).flatMap((operation) => {
    const phrases = all[operation];
    if (phrases.length === 0) return [];
    const shown = phrases.slice(0, MOST).map((phrase) => `  - ${markdown(phrase)}`);
    const more = phrases.length > MOST ? [`  - and ${phrases.length - MOST} more`] : [];
    return [`- **${WORDS[operation]}** (${counts[operation]})`, ...shown, ...more];
  });
  return lines.length === 0 ? [] : [`**Changes**\n\n${lines.join("\n")}`];
}

function cost({ cost: known, verdict }: Report): string[] {
  if (verdict === "failed") return [];
  if ("unknown" in known) return [`**Cost**: not compared, ${escaped(known.unknown)}`];
  return [`**Cost** a month: ${difference(known)}`];
}

const usd = (amount: number) => `${amount.toFixed(2)} USD`;

function difference({ before, after, change, targets }: CostDifference): string {
  if (Math.abs(change) < 0.005) return `${usd(after)}, as before`;
  const parts = Object.entries(targets)
    .filter(([, each]) => Math.abs(each.change) >= 0.005)
    .map(([name, each]) => `${markdown(say`${name}`)} ${signed(each.change)}`);
  return `${usd(before)} → ${usd(after)} (${signed(change)}: ${parts.join(", ")})`;
}

function signed(amount: number): string {
  return `${amount < 0 ? "−" : "+"}${Math.abs(amount).toFixed(2)}`;
}

const NOTE =
  "\n\n<sub>Made by `offsite report`. Secrets are not shown; what a preview cannot see is in docs/ci.md.</sub>";

function details({ details: all }: Report, room: number): string {
  const begin = `\n\n<details><summary>Details (${all.length})</summary>\n`;
  const end = "\n</details>";
  let left = room - begin.length - end.length - NOTE.length - 200;
  const shown: string[] = [];
  for (const detail of all) {
    const text = block(detail);
    if (text.length > left) continue;
    left -= text.length;
    shown.push(text);
  }
  if (all.length === 0) return NOTE;
  const missing = all.length - shown.length;
  const rest =
    missing === 0
      ? ""
      : `\n${missing} more would be too long for a comment: \`offsite report\` shows them in a terminal.\n`;
  return begin + shown.join("") + rest + end + NOTE;
}

const MOST_LINES = 80;

function block({ title, lines }: Detail): string {
  const shown = lines.slice(0, MOST_LINES);
  const more = lines.length > MOST_LINES ? [`  … ${lines.length - MOST_LINES} more lines`] : [];
  return `\n${markdown(title)}\n\n${fenced([...shown, ...more].join("\n"), "diff")}\n`;
}
