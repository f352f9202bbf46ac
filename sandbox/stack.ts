/** The real program under the real Pulumi engine, with its state in a folder of the world. */
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { execa } from "execa";
import { parseDocument } from "yaml";
import { PROJECT, type World } from "./world.ts";

/** What a Pulumi command printed, and how it ended. */
export interface PulumiResult {
  readonly output: string;
  readonly exitCode: number;
}

/** How one of the operator's commands ended. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, as they came. */
  readonly all: string;
}

/** The settings of a {@link Stack}. */
export interface StackOptions {
  readonly name: string;
  /** Everything below `config:` that is no secret. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Config values that are set with `pulumi config set --secret`, from standard input. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Added to the environment of every command. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder of the project, where the stack's file is then too; this one when left out. */
  readonly project?: string;
  /** Ends a running command as Ctrl-C does: what has begun is finished and recorded. */
  readonly signal?: AbortSignal;
  /** The programs of plugins by the names that they have in Pulumi's plugin folder. */
  readonly plugins: Readonly<Record<string, string>>;
}

/** A stack of this project, with a passphrase and a state of its own. */
export class Stack {
  readonly name: string;
  /** Everything that Pulumi has printed so far. */
  transcript = "";
  readonly configFile: string;
  /** What a shell needs to work with the stack. */
  readonly env: Readonly<Record<string, string>>;
  readonly #options: StackOptions;
  /** Where the stack's file is, beside the project's or a copy of it. */
  readonly #folder: string;

  constructor(world: World, options: StackOptions) {
    this.name = options.name;
    this.#options = options;
    this.#folder = options.project ?? world.folder("stacks", options.name);
    if (options.project === undefined) {
      copyFileSync(join(PROJECT, "Pulumi.yaml"), join(this.#folder, "Pulumi.yaml"));
    }
    this.configFile = join(this.#folder, `Pulumi.${options.name}.yaml`);
    const plugins = world.folder("pulumi", options.name, "plugins");
    for (const [name, program] of Object.entries(options.plugins)) {
      mkdirSync(join(plugins, name));
      symlinkSync(program, join(plugins, name, basename(program)));
    }
    this.env = {
      PULUMI_BACKEND_URL: `file://${world.folder("state")}`,
      PULUMI_HOME: world.folder("pulumi", options.name),
      PULUMI_CONFIG_PASSPHRASE_FILE: world.file(
        `passphrase-${options.name}`,
        randomBytes(24).toString("hex"),
      ),
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      ...options.env,
    };
  }

  /** What must be seen nowhere: the passphrase, and the secrets line by line. */
  get secrets(): string[] {
    const passphrase = readFileSync(this.env.PULUMI_CONFIG_PASSPHRASE_FILE ?? "", "utf8");
    const lines = Object.values(this.#options.secrets).flatMap((secret) => secret.split("\n"));
    return [passphrase, ...lines.filter((line) => line !== "" && !line.startsWith("-----"))];
  }

  /** Makes the stack, its config and its secrets. */
  async create(): Promise<void> {
    await this.must(["stack", "init"]);
    this.configure(this.#options.config);
    for (const [key, value] of Object.entries(this.#options.secrets)) {
      await this.must(["config", "set", "--secret", key], value);
    }
  }

  /** Sets what is no secret in the stack's file, and keeps the rest. */
  configure(config: Readonly<Record<string, unknown>>): void {
    const document = parseDocument(
      existsSync(this.configFile) ? readFileSync(this.configFile, "utf8") : "",
    );
    for (const [key, value] of Object.entries(config)) document.setIn(["config", key], value);
    writeFileSync(this.configFile, document.toString(), { mode: 0o600 });
  }

  /** Says of every target that it may go, as its owner does before he removes it. */
  async unprotect(): Promise<void> {
    const document = parseDocument(readFileSync(this.configFile, "utf8"));
    const targets = ["config", "fort-offsite:targets"];
    const { config } = document.toJS() as { config: Record<string, Record<string, unknown>> };
    for (const name of Object.keys(config["fort-offsite:targets"] ?? {})) {
      document.setIn([...targets, name, "protect"], false);
    }
    writeFileSync(this.configFile, document.toString(), { mode: 0o600 });
    await this.must(["up", "--yes", "--skip-preview"]);
  }

  /** Runs a command of Pulumi on the stack and gives what it printed, whatever its end. */
  async run(args: readonly string[], input = ""): Promise<PulumiResult> {
    // `pulumi stack` takes no --config-file: it finds the file beside the project's copy.
    const inWorld = args[0] === "stack";
    const file = inWorld ? [] : ["--config-file", this.configFile];
    const { all, exitCode } = await execa(
      "pulumi",
      [...args, "--stack", this.name, ...file, "--non-interactive", "--color", "never"],
      {
        cwd: inWorld ? this.#folder : (this.#options.project ?? PROJECT),
        env: this.env,
        input,
        all: true,
        reject: false,
        killSignal: "SIGINT",
        forceKillAfterDelay: 60_000,
        ...(this.#options.signal !== undefined && { cancelSignal: this.#options.signal }),
      },
    );
    this.transcript += `${all}\n`;
    return { output: all, exitCode: exitCode ?? 1 };
  }

  /** Runs one of the operator's commands on the stack, without a terminal. */
  async offsite(command: string, ...args: readonly string[]): Promise<CommandResult> {
    const which = ["--stack", this.name, "--config-file", this.configFile];
    const { all, exitCode, stdout, stderr } = await execa(
      process.execPath,
      [join(PROJECT, "cli", "offsite.mjs"), command, ...which, ...args],
      {
        cwd: this.#options.project ?? PROJECT,
        env: this.env,
        stdin: "ignore",
        all: true,
        reject: false,
        killSignal: "SIGINT",
        forceKillAfterDelay: 60_000,
        ...(this.#options.signal !== undefined && { cancelSignal: this.#options.signal }),
      },
    );
    this.transcript += `${all}\n`;
    return { exitCode: exitCode ?? 1, stdout, stderr, all };
  }

  /**
   * Runs a command of Pulumi on the stack.
   *
   * @throws Error with all that it printed when it fails.
   */
  async must(args: readonly string[], input = ""): Promise<string> {
    const { output, exitCode } = await this.run(args, input);
    if (exitCode !== 0) throw new Error(`pulumi ${args.join(" ")} failed:\n${output}`);
    return output;
  }
}
