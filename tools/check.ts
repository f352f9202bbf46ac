/**
 * `npm run check`: types, lint, format, and generated files up to date. One line a step, and what
 * a failed step has to say.
 */
import path from "node:path";
import { execa } from "execa";
import pLimit from "p-limit";

const ROOT = path.dirname(import.meta.dirname);

/** One thing that is checked. */
export interface Step {
  name: string;
  /** A script below the root, and its arguments, for Node.js. */
  script: readonly string[];
}

/** What is checked, the longest first. */
export const STEPS: readonly Step[] = [
  { name: "lint", script: ["node_modules/eslint/bin/eslint.js", "--max-warnings", "0", "."] },
  { name: "generated files", script: ["tools/bootstrap.mjs", "tools/generate.ts", "--check"] },
  { name: "types", script: ["node_modules/typescript/bin/tsc", "--noEmit"] },
  {
    name: "format",
    script: ["node_modules/prettier/bin/prettier.cjs", "--check", "--log-level", "warn", "."],
  },
];

/** How a step came out. */
export interface StepResult {
  name: string;
  passed: boolean;
}

/**
 * Runs steps, two at a time, and prints a line for each as it ends.
 *
 * @param print - Takes finished lines.
 */
export async function runSteps(
  steps: readonly Step[] = STEPS,
  print: (line: string) => void = console.log,
): Promise<StepResult[]> {
  const two = pLimit(2);
  return await Promise.all(
    steps.map((step) =>
      two(async () => {
        const started = Date.now();
        const result = await execa(process.execPath, step.script, {
          cwd: ROOT,
          reject: false,
          all: true,
          stdin: "ignore",
          env: { FORCE_COLOR: process.stdout.isTTY ? "1" : "0" },
        });
        const passed = !result.failed;
        const seconds = ((Date.now() - started) / 1000).toFixed(1);
        print(`${passed ? "ok    " : "FAILED"}  ${step.name} (${seconds} s)`);
        if (result.failed) {
          const output = result.all.trim();
          print(output === "" ? (result.shortMessage ?? "") : output);
        }
        return { name: step.name, passed };
      }),
    ),
  );
}

if (process.argv[1] === import.meta.filename) {
  const results = await runSteps();
  if (results.some(({ passed }) => !passed)) process.exitCode = 1;
}
