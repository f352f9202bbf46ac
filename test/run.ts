/**
 * `npm test`: the steps of `npm run check` and all tests, one command. It closes with the line
 * `N passed, N failed`, where each step and each test counts as one. A test that was skipped, a
 * project without tests and a runner that crashed count as failed. Names of steps or projects as
 * arguments run only those: `npm test -- types unit`.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { runSteps, STEPS } from "../tools/check.ts";

const ROOT = path.dirname(import.meta.dirname);

/** The projects of vitest.config.ts, the quickest first. */
const PROJECTS = ["unit", "conformance", "e2e"] as const;

/** What is read of the report of vitest's reporter `json`. */
const reportSchema = z.object({
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

/** What came of a part of the run. */
export interface Tally {
  passed: number;
  /** What failed, by name. */
  failed: string[];
}

/** Counts vitest's report. */
export function tallyOf(report: unknown, project: string): Tally {
  const parsed = reportSchema.safeParse(report);
  if (!parsed.success) return { passed: 0, failed: [`${project}: the runner left no report`] };
  const failed: string[] = [];
  let passed = 0;
  for (const file of parsed.data.testResults) {
    const name = path.relative(ROOT, file.name);
    for (const { fullName, status } of file.assertionResults) {
      if (status === "passed") passed += 1;
      else if (status === "failed") failed.push(`${name}: ${fullName}`);
      else failed.push(`${name}: ${fullName} (${status}: a test that does not run is a failure)`);
    }
    const isWhole = file.assertionResults.some(({ status }) => status === "failed");
    if (file.status !== "passed" && !isWhole) {
      failed.push(`${name}: ${file.message?.split("\n")[0] ?? "the file could not be run"}`);
    }
  }
  if (passed + failed.length === 0) failed.push(`${project}: there is no test`);
  // An error outside of any test, as in an event handler or after the end.
  if (!parsed.data.success && failed.length === 0) failed.push(`${project}: see the errors above`);
  return { passed, failed };
}

async function runProject(project: string, folder: string): Promise<Tally> {
  const reportFile = path.join(folder, `${project}.json`);
  const vitest = path.join(ROOT, "node_modules/vitest/vitest.mjs");
  const result = await execa(
    process.execPath,
    [vitest, "run", "--project", project, "--reporter=default", "--reporter=json"].concat(
      `--outputFile.json=${reportFile}`,
    ),
    { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"], reject: false },
  );
  const report = await readFile(reportFile, "utf8")
    .then((text) => JSON.parse(text) as unknown)
    .catch(() => undefined);
  const tally = tallyOf(report, project);
  if (result.failed && tally.failed.length === 0) {
    tally.failed.push(`${project}: the runner ended with ${result.shortMessage}`);
  }
  return tally;
}

async function main(only: readonly string[]): Promise<void> {
  const names = [...STEPS.map(({ name }) => name), ...PROJECTS];
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    console.error(`There is no "${unknown.join('", "')}". Give some of: ${names.join(", ")}`);
    process.exitCode = 2;
    return;
  }
  const isWanted = (name: string) => only.length === 0 || only.includes(name);
  // Ctrl-C reaches the runner as well, which ends what it started; then its report is read.
  process.on("SIGINT", () => undefined);
  const total: Tally = { passed: 0, failed: [] };
  for (const { name, passed } of await runSteps(STEPS.filter(({ name }) => isWanted(name)))) {
    if (passed) total.passed += 1;
    else total.failed.push(name);
  }
  const folder = await mkdtemp(path.join(os.tmpdir(), "fort-offsite-test-"));
  try {
    for (const project of PROJECTS.filter(isWanted)) {
      const { passed, failed } = await runProject(project, folder);
      total.passed += passed;
      total.failed.push(...failed);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  for (const name of total.failed) console.log(`FAILED  ${name}`);
  console.log(`${total.passed} passed, ${total.failed.length} failed`);
  if (total.failed.length > 0) process.exitCode = 1;
}

if (process.argv[1] === import.meta.filename) await main(process.argv.slice(2));
