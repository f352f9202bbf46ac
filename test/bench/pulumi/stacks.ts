/** Stacks to be timed: the seed's, and programs to hold against it under the same engine. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";
import { parseDocument } from "yaml";
import type { Stack } from "../../../sandbox/stack.ts";
import { PROJECT } from "../../../sandbox/world.ts";
import { median, type Bench, type Figure } from "../benchmark.ts";
import type { Timed, TimedCommand } from "../time.ts";

/** What is timed. */
export const OPERATIONS = {
  preview: ["preview"],
  "no-op up": ["up", "--yes", "--skip-preview"],
} as const satisfies Record<string, readonly [string, ...string[]]>;

/** The command for an operation on a stack of this project. */
export function ofStack(
  stack: Stack,
  args: readonly string[],
  configFile = stack.configFile,
): TimedCommand {
  const which = ["--stack", stack.name, "--config-file", configFile];
  return {
    command: ["pulumi", ...args, ...which, "--non-interactive", "--color", "never"],
    cwd: PROJECT,
    env: stack.env,
  };
}

/** The stack's settings with no look at the peer and the bundle, in a file beside the stack's own. */
export function withoutLooks(stack: Stack): string {
  const document = parseDocument(readFileSync(stack.configFile, "utf8"));
  document.setIn(["config", "fort-offsite:lookForDrift"], false);
  const file = path.join(path.dirname(stack.configFile), "without-looks.yaml");
  writeFileSync(file, document.toString({ lineWidth: 0 }), { mode: 0o600 });
  return file;
}

/** A program of its own, with the SDK, the engine, the state's place and the plugins of a stack. */
export interface Comparison {
  command(args: readonly string[]): TimedCommand;
}

/**
 * Makes a program that was deployed once.
 *
 * @param files - the program's own, by name; its `package.json` names the one that is run.
 */
export async function makeComparison(
  bench: Bench,
  name: string,
  beside: Stack,
  files: Readonly<Record<string, string>>,
): Promise<Comparison> {
  const folder = bench.folder(name);
  symlinkSync(path.join(PROJECT, "node_modules"), path.join(folder, "node_modules"));
  for (const [file, text] of Object.entries(files)) writeFileSync(path.join(folder, file), text);
  // A home of its own, as the stack has one.
  const home = path.join(folder, "home");
  mkdirSync(home);
  const plugins = path.join(beside.env.PULUMI_HOME ?? "", "plugins");
  symlinkSync(plugins, path.join(home, "plugins"));
  const env = { ...beside.env, PULUMI_HOME: home };
  const of = (args: readonly string[]): TimedCommand => ({
    command: ["pulumi", ...args, "--stack", name, "--non-interactive", "--color", "never"],
    ...{ cwd: folder, env },
  });
  for (const args of [["stack", "init"], OPERATIONS["no-op up"]]) {
    const [program, ...rest] = of(args).command;
    await execa(program, rest, { cwd: folder, env: { ...env, ...FAST }, stdin: "ignore" });
  }
  return { command: of };
}

/** For making a large state: it is written once, at the end, and not after each resource. */
export const FAST = { PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" } as const;

/** A program in JavaScript: the least that can be run. */
function javaScript(body: string): Record<string, string> {
  return {
    "package.json": JSON.stringify({ type: "module", main: "index.mjs" }),
    "Pulumi.yaml": "name: bench\nruntime: { name: nodejs, options: { typescript: false } }\n",
    "index.mjs": `import * as pulumi from "@pulumi/pulumi";\nvoid pulumi;\n${body}\n`,
  };
}

/** A program that does nothing, in JavaScript. */
export const EMPTY = javaScript("");

/** A program that does nothing, as `pulumi new typescript` leaves it when its resources are removed. */
export const EMPTY_TYPESCRIPT: Readonly<Record<string, string>> = {
  "package.json": JSON.stringify({ main: "index.ts" }),
  "Pulumi.yaml": "name: bench\nruntime: { name: nodejs, options: { packagemanager: npm } }\n",
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      ...{ strict: true, outDir: "bin", target: "es2020", module: "commonjs" },
      ...{ moduleResolution: "node", ignoreDeprecations: "6.0", sourceMap: true },
      ...{ experimentalDecorators: true, pretty: true, noFallthroughCasesInSwitch: true },
      ...{ noImplicitReturns: true, forceConsistentCasingInFileNames: true },
    },
    files: ["index.ts"],
  }),
  "index.ts": 'import * as pulumi from "@pulumi/pulumi";\n',
};

/** A program that only has resources, of the type that the bundle's files have, and nothing to do. */
export function resourcesOnly(count: number): Record<string, string> {
  return javaScript(`const inputs = { create: "true", stdin: pulumi.secret("x".repeat(500)), triggers: ["x"] };
for (let each = 0; each < ${count}; each += 1) {
  new pulumi.CustomResource("command:local:Command", "file-" + each, inputs, { version: "1.2.1" });
}`);
}

/** A resource of a state, as far as the benchmarks look at it. */
export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly inputs?: unknown;
  readonly outputs?: unknown;
}

/** What a stack has made, secrets in clear text; without the stack itself and its providers. */
export async function resourcesOf(stack: Stack): Promise<StateResource[]> {
  const text = await stack.must(["stack", "export", "--show-secrets"]);
  const state = JSON.parse(text.slice(text.indexOf("{"))) as {
    deployment: { resources: StateResource[] };
  };
  return state.deployment.resources.filter(({ type }) => !type.startsWith("pulumi:"));
}

/** One round of commands after the other, by name. */
export type Rounds<Name extends string> = readonly Readonly<Record<Name, Timed>>[];

/**
 * Runs commands in turn, so that what the machine does beside them falls on all; once uncounted.
 *
 * @param runs - How many rounds are counted.
 */
export async function inTurn<Name extends string>(
  bench: Bench,
  commands: Readonly<Record<Name, TimedCommand>>,
  runs = bench.runs,
): Promise<Rounds<Name>> {
  const rounds: Record<Name, Timed>[] = [];
  for (let round = 0; round <= runs; round += 1) {
    const timed: Partial<Record<Name, Timed>> = {};
    for (const name of Object.keys(commands) as Name[]) {
      timed[name] = await bench.time(commands[name]);
    }
    if (round > 0) rounds.push(timed as Record<Name, Timed>);
  }
  return rounds;
}

/** The time of one against the time of another, and what all of them took. */
export function ratioOf<Name extends string>(
  all: Rounds<Name>,
  which: NoInfer<Name>,
  against: NoInfer<Name>,
): Pick<Figure, "values" | "unit" | "behind"> {
  const names = Object.keys(all[0] ?? {}) as Name[];
  const of = (name: Name, value: (timed: Timed) => number) =>
    median(all.map((round) => value(round[name])));
  return {
    unit: "times",
    values: all.map((round) => round[which].seconds / round[against].seconds),
    behind: Object.fromEntries(
      names.flatMap((name) => [
        [`${name} s`, of(name, ({ seconds }) => seconds)],
        [`${name} CPU s`, of(name, ({ cpuSeconds }) => cpuSeconds)],
      ]),
    ),
  };
}
