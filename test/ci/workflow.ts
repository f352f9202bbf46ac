/** Workflows as data, and their `run:` steps carried out one after another as a runner does. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { parse } from "yaml";
import { z } from "zod";
import { PROJECT } from "../../sandbox/world.ts";

const env = z.record(z.string(), z.union([z.string(), z.number()]).transform(String)).default({});

const stepSchema = z.object({
  name: z.string().optional(),
  uses: z.string().optional(),
  with: z.record(z.string(), z.unknown()).optional(),
  run: z.string().optional(),
  if: z.string().optional(),
  env,
});

const jobSchema = z.object({
  if: z.string().optional(),
  needs: z.string().optional(),
  environment: z.string().optional(),
  "runs-on": z.string(),
  "timeout-minutes": z.number().optional(),
  permissions: z.record(z.string(), z.string()).optional(),
  concurrency: z.object({ group: z.string(), "cancel-in-progress": z.boolean() }).optional(),
  env,
  steps: z.array(stepSchema),
});

const workflowSchema = z.object({
  name: z.string(),
  on: z.record(z.string(), z.unknown()),
  permissions: z.record(z.string(), z.string()),
  concurrency: z.object({ group: z.string(), "cancel-in-progress": z.boolean() }).optional(),
  jobs: z.record(z.string(), jobSchema),
});

export type Workflow = z.infer<typeof workflowSchema>;
export type Job = z.infer<typeof jobSchema>;

/** Reads a workflow of this repository: `.github/workflows/preview.yaml`. */
export function readWorkflow(file: string): Workflow {
  return workflowSchema.parse(parse(readFileSync(join(PROJECT, file), "utf8")));
}

/** What expressions can speak of: `vars.STACK`, `github.event.before`. What is missing is empty. */
export type Contexts = Readonly<Record<string, string>>;

/** A step that was run. */
export interface StepResult {
  readonly name: string;
  readonly exitCode: number;
  readonly output: string;
}

/** How a job ended. */
export interface JobResult {
  readonly failed: boolean;
  /** Of the `run:` steps that were not passed over. */
  readonly steps: readonly StepResult[];
  /** What was written to the job's summary. */
  readonly summary: string;
}

/** The machine that a job runs on. */
export interface Runner {
  /** The clone that stands for what actions/checkout leaves. */
  readonly clone: string;
  /** Where the files of the run are. */
  readonly scratch: string;
  readonly contexts: Contexts;
  /** What a runner has in its environment beside the job's own. */
  readonly env: Readonly<Record<string, string>>;
  /** Folders that pulumi/actions puts on PATH. */
  readonly pulumi: string;
}

/** Runs a job's steps until one fails; those with `always()` or `!cancelled()` all the same. */
export async function runJob(job: Job, runner: Runner): Promise<JobResult> {
  const file = (name: string) => join(runner.scratch, name);
  for (const name of ["summary", "path"]) writeFileSync(file(name), "");
  const steps: StepResult[] = [];
  let failed = false;
  let folders: string[] = [];
  for (const step of job.steps) {
    if (step.uses?.startsWith("pulumi/actions@") === true) folders = [...folders, runner.pulumi];
    if (step.run === undefined || (failed && !/always\(\)|!cancelled\(\)/.test(step.if ?? ""))) {
      continue;
    }
    const added = readFileSync(file("path"), "utf8").split("\n").filter(Boolean);
    const result = await execa(
      "bash",
      ["--noprofile", "--norc", "-eo", "pipefail", "-c", step.run],
      {
        cwd: runner.clone,
        extendEnv: false,
        env: {
          ...runner.env,
          ...resolved(job.env, runner.contexts),
          ...resolved(step.env, runner.contexts),
          CI: "true",
          GITHUB_STEP_SUMMARY: file("summary"),
          GITHUB_PATH: file("path"),
          PATH: [...added.toReversed(), ...folders, runner.env.PATH].join(":"),
        },
        stdin: "ignore",
        all: true,
        reject: false,
      },
    );
    failed ||= result.exitCode !== 0;
    steps.push({ name: step.name ?? step.run, exitCode: result.exitCode ?? 1, output: result.all });
  }
  const summary = existsSync(file("summary")) ? readFileSync(file("summary"), "utf8") : "";
  return { failed, steps, summary };
}

function resolved(values: Readonly<Record<string, string>>, contexts: Contexts) {
  const entries = Object.entries(values).map(([key, value]) => {
    const text = value.replaceAll(
      /\$\{\{ *([^}]+?) *\}\}/g,
      (_, name: string) => contexts[name] ?? "",
    );
    return [key, text] as const;
  });
  return Object.fromEntries(entries);
}

/** Whether a job's `if` holds: names, strings, `==`, `!=`, `&&` and `||` are all that ours use. */
export function holds(condition: string | undefined, contexts: Contexts): boolean {
  if (condition === undefined) return true;
  const value = (term: string) => /^'(.*)'$/.exec(term)?.[1] ?? contexts[term] ?? "";
  const compared = (text: string): boolean => {
    const [, left = "", operator = "", right = ""] =
      /^(\S+) (==|!=) (\S+)$/.exec(text.trim()) ?? [];
    if (operator === "") throw new Error(`The condition "${text}" is of no known form`);
    return (value(left) === value(right)) === (operator === "==");
  };
  return condition.split("||").some((part) => part.split("&&").every(compared));
}
