import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, describe, expect, it } from "vitest";
import { FAMILIES } from "../../../../hub/metrics/families.ts";
import { BACKUPS } from "./cases/backups.ts";
import { CREDENTIALS } from "./cases/credentials.ts";
import { HUB } from "./cases/hub.ts";
import { METRICS } from "./cases/metrics.ts";
import { REST } from "./cases/rest.ts";
import { TARGETS } from "./cases/targets.ts";
import { VERIFY } from "./cases/verify.ts";
import { STORIES } from "./cases/stories.ts";
import { failures, RULES, RULES_FILE, textsOf, type Case } from "./promtool.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const CASES: readonly Case[] = [
  ...METRICS,
  ...BACKUPS,
  ...HUB,
  ...TARGETS,
  ...VERIFY,
  ...CREDENTIALS,
  ...REST,
];

/** What hub/nix/client/finish.sh writes on a host. */
const OF_CLIENTS = /offsite_client_\w+/g;

/** For a story, on a machine that is busy. */
const MINUTES = 5;

describe("the alerts", () => {
  it("are what promtool accepts", async () => {
    const { stdout } = await execa("promtool", ["check", "rules", RULES_FILE]);
    expect(stdout).toContain(`SUCCESS: ${RULES.length} rules found`);
  });

  it("each have a name of their own, series that they fire over, and series that they do not", () => {
    const names = RULES.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) {
      const cases = CASES.filter(({ alert }) => alert === name);
      expect(
        cases.some(({ fires }) => fires.length > 0),
        `${name} fires nowhere`,
      ).toBe(true);
      expect(
        cases.some(({ fires }) => fires.length === 0),
        `${name} is never quiet`,
      ).toBe(true);
    }
    for (const { alert } of CASES) expect(names).toContain(alert);
    const titles = CASES.map(({ alert, title }) => `${alert} ${title}`);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it("ask for no metric that nobody writes", () => {
    const client = readFileSync(join(ROOT, "hub/nix/client/finish.sh"), "utf8");
    const known = new Set([
      ...FAMILIES.map(({ name }) => name),
      ...(client.match(OF_CLIENTS) ?? []),
    ]);
    const asked = RULES.flatMap(({ expr }) => expr.match(/\boffsite_\w+/g) ?? []);
    expect(asked.filter((name) => !known.has(name))).toEqual([]);
  });

  it("link to a section that is there, and name runbooks that are", () => {
    for (const { alert, annotations } of RULES) {
      const [page = "", anchor = ""] = annotations.runbook_url.split("#");
      const headings = readFileSync(join(ROOT, page), "utf8").match(/^#+ .*$/gm) ?? [];
      expect(headings, alert).toContain(`### ${alert}`);
      expect(anchor).toBe(alert.toLowerCase());
      for (const path of annotations.description.match(/\bdocs\/[\w/-]+\.md/g) ?? []) {
        expect(existsSync(join(ROOT, path)), `${alert}: ${path}`).toBe(true);
      }
    }
  });
});

describe.each(RULES.map(({ alert }) => alert))("%s", (alert) => {
  // What no other alert has a word for depends on all others.
  const rules = alert === "OffsiteUnhealthy" ? RULES : RULES.filter((rule) => rule.alert === alert);
  const cases = CASES.filter((each) => each.alert === alert);
  let found: string;

  it("says in words what, where, and how to go on", async () => {
    const each = cases.find(({ fires }) => fires.length > 0) ?? METRICS[0];
    if (each === undefined) throw new Error(alert);
    const text = await textsOf(each);
    expect(text).toMatch(/got:\[[\s\S]*summary="/);
    expect(text).not.toMatch(/no value|error (executing|expanding)|%!|\{\{/);
    const { target = "", host = target, guest = host } = each.fires[0] ?? {};
    expect(text.slice(text.indexOf("Annotations"))).toContain(guest);
  });

  beforeAll(async () => {
    found = await failures(cases, rules);
    // What is no case's is everybody's.
    if (found !== "" && !cases.some(({ title }) => found.includes(title))) throw new Error(found);
  });

  it.each(cases.map(({ title }) => title))("%s", (title) => {
    expect(found.split("name: ").filter((part) => part.startsWith(`${title},`))).toEqual([]);
  });
});

describe("all alerts together", { timeout: MINUTES * 60_000 }, () => {
  it.each(STORIES.map(({ title }) => title))("%s", async (title) => {
    const { series, moments } = STORIES.find((story) => story.title === title) ?? STORIES[0];
    const cases = moments.flatMap(({ at, fires }) =>
      RULES.map(({ alert }) => ({ alert, title, series, at, fires: fires[alert] ?? [] })),
    );
    expect(await failures(cases, RULES, true)).toBe("");
  });
});
