/**
 * Does what systemd does with a unit: its folders, environment, account and commands, in their order.
 * A machine's /run, /var/lib and /var/cache are in a folder of the test's.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { writeStore, type Evaluation, type Service, type System } from "./evaluate.ts";

/** The account that stands for user `restic` where this process is root: nobody. */
export const RESTIC = 65_534;

/** What a run of a unit came to. */
export interface UnitRun {
  /** systemd's word: `success`, or `exit-code` where a command failed. */
  readonly result: "success" | "exit-code";
  /** What the journal would hold. */
  readonly journal: string;
}

type Setting = Service["serviceConfig"][string];

/** One machine with the units of an evaluated system. */
export class Machine {
  readonly system: System;
  readonly #folder: string;
  readonly #running: ChildProcess[] = [];
  /** Variables that every unit gets, for what a test cannot wait for. */
  readonly environment: Record<string, string> = {};

  /**
   * @param folder - what stands before /run, /var/lib and /var/cache.
   */
  constructor(folder: string, name: string, { systems, files }: Evaluation) {
    const system = systems[name];
    if (system === undefined) throw new Error(`no configuration "${name}"`);
    this.#folder = folder;
    this.system = JSON.parse(this.#placed(JSON.stringify(system))) as System;
    for (const each of ["run", "var/lib", "var/cache"]) {
      mkdirSync(join(folder, each), { recursive: true });
    }
    writeStore(files, (text) => this.#placed(text));
    for (const rule of this.system.tmpfiles) this.#tmpfiles(rule);
  }

  /** A path of the machine as this process sees it. */
  path(path: string): string {
    return this.#placed(path);
  }

  /** Whether this process may take other accounts on, as systemd may. */
  static get isRoot(): boolean {
    return process.getuid?.() === 0;
  }

  /** Gives a file or folder to user `restic`. */
  static own(path: string): string {
    if (Machine.isRoot) chownSync(path, RESTIC, RESTIC);
    return path;
  }

  service(name: string): Service {
    const service = this.system.services[name];
    if (service === undefined) throw new Error(`no unit "${name}"`);
    return service;
  }

  /** Runs a oneshot unit to its end. */
  async start(name: string): Promise<UnitRun> {
    const service = this.service(name);
    const { serviceConfig } = service;
    this.#makeFolders(service);
    let journal = "";
    let result: UnitRun["result"] = "success";
    const state = async (kind: string, more: Record<string, string> = {}): Promise<boolean> => {
      for (const command of list(serviceConfig[kind])) {
        const run = await this.#run(service, command, more);
        journal += run.all;
        if (run.exitCode !== 0 && !command.startsWith("-")) return false;
      }
      return true;
    };
    for (const kind of ["ExecStartPre", "ExecStart", "ExecStartPost"]) {
      if (await state(kind)) continue;
      result = "exit-code";
      break;
    }
    if (!(await state("ExecStopPost", { SERVICE_RESULT: result }))) result = "exit-code";
    for (const each of words(serviceConfig.RuntimeDirectory)) {
      rmSync(join(this.#folder, "run", each), { recursive: true, force: true });
    }
    return { result, journal };
  }

  /** Starts a unit that goes on running; more arguments are for what its socket would do. */
  background(name: string, ...args: string[]): ChildProcess {
    const service = this.service(name);
    const [program = "", ...own] = split(String(service.serviceConfig.ExecStart));
    const child = spawn(program, [...own, ...args], {
      env: this.#environment(service, {}),
      stdio: "ignore",
      ...accountOf(service),
    });
    this.#running.push(child);
    return child;
  }

  /** Ends what runs. */
  async stop(): Promise<void> {
    for (const child of this.#running.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
  }

  async #run(service: Service, command: string, more: Record<string, string>) {
    const [program = "", ...args] = [...limits(service), ...split(command.replace(/^-/, ""))];
    return await execa(program, args, {
      env: this.#environment(service, more),
      extendEnv: false,
      cwd: "/",
      all: true,
      reject: false,
      stdin: "ignore",
      ...accountOf(service),
    });
  }

  /** As systemd.exec(5) has it: files are read before each command, and go before Environment=. */
  #environment(service: Service, more: Record<string, string>): Record<string, string> {
    const { serviceConfig } = service;
    const folder = (setting: Setting | undefined, parent: string) =>
      words(setting)
        .map((each) => join(this.#folder, parent, each))
        .join(":");
    const folders = {
      RUNTIME_DIRECTORY: folder(serviceConfig.RuntimeDirectory, "run"),
      STATE_DIRECTORY: folder(serviceConfig.StateDirectory, "var/lib"),
      CACHE_DIRECTORY: folder(serviceConfig.CacheDirectory, "var/cache"),
    };
    const files = list(serviceConfig.EnvironmentFile).flatMap((file) =>
      readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => /^[A-Za-z_]\w*=/.test(line))
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    return {
      ...this.environment,
      ...Object.fromEntries(Object.entries(folders).filter(([, value]) => value !== "")),
      ...service.environment,
      ...(Object.fromEntries(files) as Record<string, string>),
      ...more,
    };
  }

  #makeFolders(service: Service): void {
    const { serviceConfig } = service;
    for (const [kind, parent] of [
      ["Runtime", "run"],
      ["State", "var/lib"],
      ["Cache", "var/cache"],
    ] as const) {
      for (const each of words(serviceConfig[`${kind}Directory`])) {
        const folder = join(this.#folder, parent, each);
        mkdirSync(folder, { recursive: true });
        chmodSync(folder, parseInt(String(serviceConfig[`${kind}DirectoryMode`] ?? "0755"), 8));
        if (serviceConfig.User === "restic") Machine.own(folder);
      }
    }
  }

  #tmpfiles(rule: string): void {
    const [kind, path = "", mode = "", user, group] = rule.split(" ");
    if (kind !== "d") throw new Error(`what is "${rule}"?`);
    mkdirSync(path, { recursive: true });
    chmodSync(path, parseInt(mode, 8));
    const id = (name?: string) => (name === "restic" ? RESTIC : 0);
    if (Machine.isRoot) chownSync(path, id(user), id(group));
  }

  #placed(text: string): string {
    return text.replaceAll(
      /(?<![\w./-])\/(run|var\/lib|var\/cache)(?![\w-])/g,
      `${this.#folder}/$1`,
    );
  }
}

function accountOf(service: Service): { uid?: number; gid?: number } {
  const isRestic = service.serviceConfig.User === "restic";
  return isRestic && Machine.isRoot ? { uid: RESTIC, gid: RESTIC } : {};
}

/** What a unit of root's may not do, as far as setpriv(1) can take it away. */
function limits({ serviceConfig }: Service): string[] {
  const kept = serviceConfig.CapabilityBoundingSet;
  if (!Machine.isRoot || serviceConfig.User === "restic" || kept === undefined) return [];
  const names = list(kept).map((name) => name.replace("CAP_", "+").toLowerCase());
  return ["/usr/bin/setpriv", `--bounding-set=${["-all", ...names].join(",")}`, "--no-new-privs"];
}

function list(setting: Setting | undefined): string[] {
  if (setting === undefined) return [];
  return (Array.isArray(setting) ? setting : [setting]).map(String);
}

function words(setting: Setting | undefined): string[] {
  return list(setting).flatMap((each) => each.split(" ").filter((word) => word !== ""));
}

/** Splits a command line as systemd.service(5) has it: at spaces, with quotes and %% and $$. */
export function split(command: string): string[] {
  const parts = command.match(/"(?:\\.|[^"\\])*"|[^\s"]+/g) ?? [];
  return parts.map((part) => {
    const text = part.startsWith('"') ? (JSON.parse(part) as string) : part;
    return text.replaceAll("%%", "%").replaceAll("$$", "$");
  });
}
