/** The stack that a command is about: its settings, its state, and Pulumi at work on it. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { password } from "@inquirer/prompts";
import { execa, ExecaError } from "execa";
import { z } from "zod";
import { NAMESPACE, parseStackConfig, type RawConfig } from "../config/parse.ts";
import { STACK_RECORD, parseRecord, type StackRecord } from "../config/record.ts";
import type { StackConfig } from "../config/stack.ts";
import { UsageError } from "../hub/errors.ts";
import { interruption } from "./interruption.ts";
import type { StackOptions } from "./options.ts";

/** What `pulumi config --json` says of a key. */
const configSchema = z.record(
  z.string(),
  z.object({ value: z.string().optional(), secret: z.boolean() }),
);

/** A resource of the state, with its secrets in clear text. Never print or write any of it. */
const resourceSchema = z.object({
  urn: z.string(),
  type: z.string(),
  id: z.string().optional(),
  parent: z.string().optional(),
  /** It was replaced, and waits for the next update to delete it. */
  delete: z.boolean().optional(),
  inputs: z.record(z.string(), z.unknown()).default({}),
  outputs: z.record(z.string(), z.unknown()).default({}),
});

/** What Pulumi exports for a secret: its mark, and the value as JSON within JSON. */
const wrappedSecret = z.object({
  "4dabf18193072939515e22adb298388d": z.literal("1b47061264138c4ac30d75fd1eb44270"),
  plaintext: z.string(),
});

const stateSchema = z.object({
  deployment: z.object({ resources: z.array(resourceSchema).default([]) }).nullish(),
});

/** One resource of the state. */
export type StateResource = z.infer<typeof resourceSchema>;

/** The variables that hold the passphrase, or say where it is. */
const PASSPHRASE = ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"] as const;

/** What to do where there is no Pulumi. */
export const PULUMI_MISSING =
  "needs the program pulumi, which is not on PATH. See www.pulumi.com/docs/iac/download-install";

/** A stack, and Pulumi's own program at work on it. */
export class OperatorStack {
  /** As the program knows it, without an owner or a project before it. */
  readonly name: string;
  /** The folder with Pulumi.yaml, which relative paths in the settings start from. */
  readonly project: string;
  /** The file of the settings. */
  readonly file: string;
  /** As Pulumi was told it: a backend may want the owner and the project too. */
  readonly #reference: string;
  /** Added to the environment of Pulumi: the passphrase, where it was asked for. */
  readonly #env: Record<string, string> = {};

  private constructor(reference: string, project: string, file: string) {
    this.name = bareName(reference);
    this.#reference = reference;
    this.project = project;
    this.file = file;
  }

  /**
   * Finds the stack that the options mean.
   *
   * @throws UsageError where there is none, with what to do about it.
   */
  static async open(options: StackOptions): Promise<OperatorStack> {
    const project = findProject(options.project);
    const reference = options.stack ?? (await selectedStack(project));
    const file = settingsFile(project, reference, options);
    if (!existsSync(file)) {
      throw new UsageError(
        `there is no ${file}. Make it with \`offsite init\`, or name the stack with --stack`,
      );
    }
    return new OperatorStack(reference, project, file);
  }

  /** Asks for the passphrase once, so that Pulumi's commands do not each ask for it. */
  async askPassphrase(): Promise<void> {
    const isKnown = PASSPHRASE.some((name) => process.env[name] !== undefined);
    if (isKnown || !process.stdin.isTTY || this.#env.PULUMI_CONFIG_PASSPHRASE !== undefined) return;
    // Where a service's key encrypts the secrets there is none.
    if (/^secretsprovider: (?!passphrase)/m.test(await readFile(this.file, "utf8"))) return;
    this.#env.PULUMI_CONFIG_PASSPHRASE = await password(
      { message: `Passphrase of the stack ${this.name}:` },
      { signal: interruption, output: process.stderr },
    );
  }

  /**
   * The settings with their secrets, as Pulumi has them.
   *
   * @throws Error where Pulumi cannot read them, as with a wrong passphrase.
   */
  async rawConfig(): Promise<RawConfig> {
    const json = await this.read(["config", "--show-secrets", "--json"]);
    const entries = Object.entries(configSchema.parse(JSON.parse(json)));
    const secrets = new Set(entries.filter(([, { secret }]) => secret).map(([key]) => key));
    return {
      values: Object.fromEntries(entries.map(([key, { value }]) => [key, value ?? ""])),
      isSecret: (key) => secrets.has(key),
    };
  }

  /**
   * The settings below `fort-offsite:`, checked.
   *
   * @throws InputError with all that is wrong in them.
   */
  async config(): Promise<StackConfig> {
    return parseStackConfig(await this.rawConfig(), this.name);
  }

  /** One of the settings outside of `fort-offsite:`, as `b2:applicationKey`. */
  static setting(raw: RawConfig, key: string): string | undefined {
    if (key.startsWith(`${NAMESPACE}:`)) throw new RangeError(`${key} is one of our own`);
    return raw.values[key];
  }

  /** What the last successful update left; undefined where there was none. */
  async record(): Promise<StackRecord | undefined> {
    const outputs = z
      .record(z.string(), z.unknown())
      .parse(JSON.parse(await this.read(["stack", "output", "--json", "--show-secrets"])));
    return parseRecord(outputs[STACK_RECORD]);
  }

  /** The resources of the state, secrets in clear text. */
  async resources(): Promise<StateResource[]> {
    const json = await this.read(["stack", "export", "--show-secrets"]);
    return stateSchema.parse(JSON.parse(json, revealed)).deployment?.resources ?? [];
  }

  /**
   * Runs a command of Pulumi and gives what it printed on standard output.
   *
   * @throws Error with what it said on standard error when it fails.
   */
  async read(args: readonly string[], input?: string): Promise<string> {
    await this.askPassphrase();
    try {
      const { stdout } = await execa("pulumi", this.#arguments(args), {
        ...this.#options(args),
        ...(input === undefined ? { stdin: "ignore" } : { input }),
      });
      return stdout;
    } catch (error) {
      throw failureOf(args, error);
    }
  }

  /**
   * Runs a command of Pulumi and gives all that it printed, however it ended.
   *
   * @throws UsageError where there is no Pulumi.
   */
  async attempt(
    args: readonly string[],
  ): Promise<{ stdout: string; stderr: string; exitCode: number }> {
    await this.askPassphrase();
    const { stdout, stderr, exitCode, code } = await execa("pulumi", this.#arguments(args), {
      ...this.#options(args),
      stdin: "ignore",
      reject: false,
    });
    if (interruption.aborted) throw interruption.reason;
    if (code === "ENOENT") throw new UsageError(PULUMI_MISSING);
    return { stdout, stderr, exitCode: exitCode ?? 1 };
  }

  /**
   * Runs a command of Pulumi whose output the operator sees as it comes. An interruption reaches it
   * as Ctrl-C does, and it ends what it has begun.
   *
   * @returns its exit code.
   */
  async show(args: readonly string[]): Promise<number> {
    await this.askPassphrase();
    const { exitCode } = await execa("pulumi", this.#arguments(args), {
      ...this.#options(args),
      stdio: ["ignore", "inherit", "inherit"],
      reject: false,
    });
    return exitCode ?? 1;
  }

  /**
   * Takes references to resources out of the state that are gone from it, as an update leaves them
   * that went on after an error: no command of Pulumi reads such a state. A sound one stays as it is.
   *
   * @throws Error with the way out where Pulumi cannot.
   */
  async repair(): Promise<void> {
    const { stderr, stdout, exitCode } = await this.attempt(["state", "repair", "--yes"]);
    if (exitCode === 0) return;
    throw new Error(
      `the state could not be looked over (${(stderr || stdout).trim()}). Before anything else run: pulumi state repair --stack ${this.name}`,
    );
  }

  #arguments(args: readonly string[]): string[] {
    // `pulumi stack` finds the settings beside Pulumi.yaml, `pulumi state` needs none.
    const file = ["stack", "state"].includes(args[0] ?? "") ? [] : ["--config-file", this.file];
    return [...args, "--stack", this.#reference, ...file, "--non-interactive"];
  }

  #options(args: readonly string[]) {
    // `pulumi stack` takes no --config-file: it looks beside Pulumi.yaml, wherever it is started.
    const beside = dirname(this.file);
    const cwd =
      args[0] === "stack" && existsSync(join(beside, "Pulumi.yaml")) ? beside : this.project;
    return {
      cwd,
      env: { PULUMI_SKIP_UPDATE_CHECK: "true", ...this.#env },
      cancelSignal: interruption,
      // In a group of its own: the terminal's Ctrl-C would come beside ours, and by a second one
      // Pulumi ends without a record of what it was about to make.
      detached: true,
      // Pulumi lets running steps end and records them; it takes what that takes.
      killSignal: "SIGINT" as const,
      forceKillAfterDelay: false as const,
    };
  }
}

/** Puts the value in the place of what Pulumi wraps around a secret. */
function revealed(_key: string, value: unknown): unknown {
  const parsed = wrappedSecret.safeParse(value);
  return parsed.success ? JSON.parse(parsed.data.plaintext) : value;
}

/** The settings' file of a stack, there or not. */
export function settingsFile(
  project: string,
  stack: string,
  { configFile }: Pick<StackOptions, "configFile">,
): string {
  return resolve(configFile ?? join(project, `Pulumi.${bareName(stack)}.yaml`));
}

/** Without the owner and the project that a backend may put before it. */
function bareName(stack: string): string {
  return stack.slice(stack.lastIndexOf("/") + 1);
}

export function findProject(given: string | undefined): string {
  if (given !== undefined) {
    if (existsSync(join(given, "Pulumi.yaml"))) return resolve(given);
    throw new UsageError(`--project: there is no Pulumi.yaml in ${given}`);
  }
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "Pulumi.yaml"))) return folder;
    if (folder === dirname(folder)) break;
  }
  throw new UsageError(
    "neither this folder nor one above it has a Pulumi.yaml. Go to fort-offsite's folder, or name it with --project",
  );
}

async function selectedStack(project: string): Promise<string> {
  try {
    const { stdout } = await execa("pulumi", ["stack", "--show-name", "--non-interactive"], {
      cwd: project,
      stdin: "ignore",
      cancelSignal: interruption,
    });
    return stdout.trim();
  } catch (error) {
    if (interruption.aborted) throw interruption.reason;
    const missing = error instanceof ExecaError && error.code === "ENOENT";
    throw new UsageError(
      missing
        ? PULUMI_MISSING
        : "no stack is selected. Name it with --stack, or select it with: pulumi stack select",
    );
  }
}

function failureOf(args: readonly string[], error: unknown): unknown {
  if (interruption.aborted) return interruption.reason;
  if (!(error instanceof ExecaError)) return error;
  if (error.code === "ENOENT") {
    return new UsageError(PULUMI_MISSING);
  }
  const said = z.string().catch("").parse(error.stderr).trim();
  return new Error(`pulumi ${args.slice(0, 2).join(" ")} failed: ${said || error.shortMessage}`);
}
