/**
 * `npm run preview:sandbox`: what a change would do, without an account, a secret or a network. The
 * settings and the program of the base are put into a state of this run's own, where nothing is really
 * made: Backblaze is the emulator, all other plugins pretend. Then the program and the settings that
 * lie here are previewed against that, and `offsite report` says what it means.
 */
import { copyFileSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { execa } from "execa";
import { Document, parseDocument } from "yaml";
import { z } from "zod";
import { messageOf } from "../hub/errors.ts";
import { binDirectory, ensurePrograms } from "../tools/index.ts";
import { startB2Emulator, type B2Emulator } from "./b2/index.ts";
import { Pretender, type Pretended } from "./pretended-settings.ts";
import { clearStaleWorlds, PROJECT, World } from "./world.ts";

const command = new Command("npm run preview:sandbox --")
  .description("Says what a change does, without an account: see docs/ci.md.")
  .option("--base <commit>", "what the change is compared with", "HEAD")
  .option("-s, --stack <name>", "whose settings, Pulumi.<stack>.yaml", "prod")
  .option("--json", "print the report as JSON")
  .option("--html", "print a page for a browser")
  .parse();
const options = command.opts<{ base: string; stack: string; json?: boolean; html?: boolean }>();

/** The plugins that pretend; Backblaze's is the real one, at the emulator. */
const PRETENDED = ["command", "cloudflare", "docker"] as const;

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => stop.abort(new Error(`Stopped by ${signal}`)));
}

/** Where Pulumi works: a version of the program, and the settings for it. */
interface Side {
  readonly folder: string;
  readonly settings: Pretended;
  readonly file: string;
}

class SandboxPreview {
  readonly #world: World;
  readonly #pretender = new Pretender();
  readonly #env: Record<string, string>;
  readonly #file: string;

  constructor(world: World, emulator: B2Emulator) {
    this.#world = world;
    this.#file = `Pulumi.${options.stack}.yaml`;
    const home = world.folder("pulumi");
    const own = join(PROJECT, "sandbox/plugins/pretend/pulumi-resource-pretend");
    for (const name of PRETENDED) {
      const folder = world.folder("pulumi", "plugins", `resource-${name}-v${versionOf(name)}`);
      symlinkSync(own, join(folder, `pulumi-resource-${name}`));
    }
    this.#env = {
      PULUMI_BACKEND_URL: `file://${world.folder("state")}`,
      PULUMI_HOME: home,
      PULUMI_CONFIG_PASSPHRASE: world.id,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      B2_APPLICATION_KEY_ID: emulator.applicationKeyId,
      B2_APPLICATION_KEY: emulator.applicationKey,
      B2_ENDPOINT: emulator.url,
      NODE_OPTIONS: "--import tsx",
    };
  }

  /** @returns the exit code of the report. */
  async run(): Promise<number> {
    const before = await this.#base();
    const after: Side = {
      folder: PROJECT,
      settings: this.#pretender.fill(readFileSync(join(PROJECT, this.#file), "utf8")),
      file: join(this.#world.folder("head"), this.#file),
    };
    let note =
      "Made in the sandbox, from the settings alone: without the account, the peers and the state, so that only what differs from the base is shown.";
    await this.#init();
    if (before !== undefined) {
      await this.#configure(before);
      const made = await this.#pulumi(before, ["up", "--yes", "--skip-preview"], "", false);
      if (made.exitCode !== 0) {
        console.error(made.all);
        note = `${note} The base itself could not be made here: everything that was not is shown as created.`;
      }
    } else {
      note = `${note} The base has no settings that can be read here: everything is shown as created.`;
    }
    await this.#configure(after, before);
    return await this.#report(after, before?.file, note);
  }

  async #report(after: Side, base: string | undefined, note: string): Promise<number> {
    const args = ["preview", "--json", "--show-sames"];
    const made = await this.#pulumi(after, args, "", false);
    const preview = this.#world.file("preview.json", made.stdout);
    const { exitCode } = await execa(
      process.execPath,
      [
        ...[join(PROJECT, "cli/offsite.mjs"), "report", preview, "--note", note],
        ...["--stack", options.stack, "--config-file", after.file],
        ...(base === undefined ? [] : ["--base", base]),
        ...(options.json === true ? ["--json"] : []),
        ...(options.html === true ? ["--html"] : []),
      ],
      { stdio: ["ignore", "inherit", "inherit"], reject: false, cancelSignal: stop.signal },
    );
    if (made.exitCode !== 0) console.error(made.stderr);
    return exitCode ?? 1;
  }

  /** The base in a folder of its own; undefined where it is not there, or has no such settings. */
  async #base(): Promise<Side | undefined> {
    const folder = this.#world.folder("base");
    const git = ["-C", PROJECT];
    try {
      const archive = [...git, "archive", "--format=tar", options.base];
      await execa("git", archive, { encoding: "buffer", buffer: false }).pipe("tar", [
        ...["--extract", "--directory", folder],
      ]);
    } catch (error) {
      console.error(`The base ${options.base} is not in this clone: ${messageOf(error)}`);
      return undefined;
    }
    const own = join(folder, this.#file);
    if (!existsSync(own)) return undefined;
    const settings = this.#pretender.fill(readFileSync(own, "utf8"));
    await this.#packages(folder);
    return { folder, settings, file: join(this.#world.folder("before"), this.#file) };
  }

  /** The packages of the base: those that are here, where it names the same. */
  async #packages(folder: string): Promise<void> {
    const lock = (at: string) => readFileSync(join(at, "package-lock.json"), "utf8");
    if (lock(folder) === lock(PROJECT)) {
      symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
      return;
    }
    console.error("The base has other packages: getting them (npm ci) …");
    await execa("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: folder,
      stdio: ["ignore", 2, 2],
      cancelSignal: stop.signal,
    });
  }

  /** Makes the empty stack, in a folder of its own: Pulumi writes to the settings that it finds. */
  async #init(): Promise<void> {
    const folder = this.#world.folder("init");
    copyFileSync(join(PROJECT, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
    await this.#pulumi({ folder }, ["stack", "init", options.stack, "--no-select"], "");
  }

  /**
   * Writes the settings, and sets what is secret. What is as it was before keeps its ciphertext, as in
   * a file of one's own: every encryption has another, and the report would take it for set anew.
   */
  async #configure({ folder, file, settings }: Side, before?: Side): Promise<void> {
    const document = new Document({ config: settings.config });
    const old = before === undefined ? undefined : parseDocument(readFileSync(before.file, "utf8"));
    const kept = Object.keys(settings.secrets).filter(
      (key) => before?.settings.secrets[key] === settings.secrets[key],
    );
    for (const key of kept) document.setIn(["config", key], old?.getIn(["config", key]));
    if (old !== undefined) document.set("encryptionsalt", old.get("encryptionsalt"));
    writeFileSync(file, document.toString({ lineWidth: 0 }), { mode: 0o600 });
    for (const [key, value] of Object.entries(settings.secrets)) {
      if (kept.includes(key)) continue;
      await this.#pulumi({ folder, file }, ["config", "set", "--secret", key], value);
    }
  }

  async #pulumi(
    { folder, file }: Pick<Side, "folder"> & Partial<Side>,
    args: readonly string[],
    input: string,
    must = true,
  ) {
    const config = file === undefined ? [] : ["--config-file", file, "--stack", options.stack];
    const result = await execa("pulumi", [...args, ...config, "--non-interactive"], {
      cwd: folder,
      env: this.#env,
      ...(input === "" ? { stdin: "ignore" as const } : { input }),
      all: true,
      reject: false,
      cancelSignal: stop.signal,
      killSignal: "SIGINT",
      forceKillAfterDelay: 30_000,
    });
    stop.signal.throwIfAborted();
    if (must && result.exitCode !== 0) {
      throw new Error(`pulumi ${args.slice(0, 2).join(" ")} failed:\n${result.all}`);
    }
    return result;
  }
}

/** The version of a plugin that its SDK asks for. */
function versionOf(name: (typeof PRETENDED)[number]): string {
  const file = join(PROJECT, "node_modules/@pulumi", name, "package.json");
  const schema = z.object({
    version: z.string(),
    pulumi: z.object({ version: z.string().optional() }),
  });
  const { version, pulumi } = schema.parse(JSON.parse(readFileSync(file, "utf8")));
  return pulumi.version ?? version;
}

await clearStaleWorlds();
const world = new World();
let exitCode = 1;
try {
  const say = ({ program, step, done }: { program: string; step: string; done: boolean }) => {
    if (!done) console.error(`${program}: ${step}`);
  };
  const programs = await ensurePrograms(["pulumi", "pulumi-language-nodejs"], {
    signal: stop.signal,
    onProgress: say,
  });
  process.env.PATH = `${await binDirectory(programs)}:${process.env.PATH ?? ""}`;
  const emulator = await startB2Emulator({ dataDirectory: world.folder("b2") });
  world.cleanup.add("the B2 emulator", () => emulator.stop());
  exitCode = await new SandboxPreview(world, emulator).run();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
} finally {
  for (const { message } of await world.cleanup.run()) console.error(message);
}
process.exit(exitCode);
