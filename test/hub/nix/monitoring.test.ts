import { readFileSync } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeBundle } from "./bundle.ts";
import { evaluate, type Evaluation } from "./evaluate.ts";

const RULES = join(import.meta.dirname, "../../../hub/monitoring/rules.yml");
const root = mkdtempSync(join(tmpdir(), "offsite-monitoring-"));
let evaluation: Evaluation;

beforeAll(async () => {
  writeBundle(join(root, "bundle"));
  evaluation = await evaluate(join(import.meta.dirname, "configurations.nix"), {
    programs: "/usr",
    store: join(root, "store"),
    bundle: join(root, "bundle"),
    agent: "/run/agent.mjs",
    hubAddress: "127.0.0.1:8000",
    passwordFile: "/run/secrets/restic-password",
  });
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

it("the monitoring module hands the alerts to Prometheus, and nothing where it is off", () => {
  expect(evaluation.systems.prometheus?.ruleFiles).toEqual([RULES]);
  expect(evaluation.systems.off?.ruleFiles).toEqual([]);
});

it("the monitoring module has the alerts link to where the household reads the runbooks", () => {
  const [path] = evaluation.systems.prometheusWithLinks?.ruleFiles ?? [];
  const text = evaluation.files.find((file) => file.path === path)?.text ?? "";
  const links = text.match(/runbook_url: \S+/g) ?? [];
  expect(links).toHaveLength(readFileSync(RULES, "utf8").match(/runbook_url: /g)?.length ?? 0);
  for (const link of links) {
    expect(link).toMatch(
      /^runbook_url: https:\/\/git\.example\.org\/fort-offsite\/docs\/alerts\.md#/,
    );
  }
});
