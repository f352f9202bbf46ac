/**
 * The folder of one sandbox run, its processes, and the register by which a later run finds and
 * clears what a killed one left behind.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { Cleanup } from "./cleanup.ts";

/** The project's folder. */
export const PROJECT = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Where reports and the register of running worlds are. */
export const SANDBOX = join(PROJECT, ".sandbox");

/** A Unix socket's path has at most 107 characters; containerd's are 60 below the world's folder. */
const LONGEST_PARENT = 24;

const REGISTER = join(SANDBOX, "worlds");

/** What the register holds of a world. */
interface Registered {
  readonly directory: string;
  readonly owner: ProcessId;
  readonly processes: ProcessId[];
  /** Compose projects at an engine that was there before, with that engine's address. */
  readonly containers: { readonly host: string; readonly project: string }[];
  /** What the machine itself has for the world: folders, and accounts by their comment. */
  readonly machine?: { readonly folders: string[]; readonly accounts: string[] };
}

/** A process, told from a later one with the same number by when it started. */
interface ProcessId {
  readonly pid: number;
  readonly started: string;
}

/** The fields of proc(5)'s stat from the third on: before it is a name, which may hold spaces. */
function stat(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
  } catch {
    return undefined;
  }
}

function startTime(pid: number): string | undefined {
  const fields = stat(pid);
  // A zombie has ended: its parent, or the first process of a container, may never ask for it.
  return fields?.[0] === "Z" ? undefined : fields?.[19];
}

function isAlive({ pid, started }: ProcessId): boolean {
  return startTime(pid) === started;
}

function processId(pid: number): ProcessId {
  return { pid, started: startTime(pid) ?? "" };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** A process's children and theirs, whatever group or session they made themselves. */
function descendants(pid: number): ProcessId[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), Number(stat(Number(name))?.[1])] as const);
  const below = (parent: number): number[] =>
    parents.filter(([, of]) => of === parent).flatMap(([child]) => [child, ...below(child)]);
  return below(pid).map(processId);
}

async function endGroup(id: ProcessId, patience = 15_000): Promise<void> {
  if (!isAlive(id)) return;
  // sshd's sessions outlive it, each in a session of its own.
  const children = descendants(id.pid);
  signalGroup(id.pid, "SIGTERM");
  if (!(await hasEnded(id, patience))) {
    signalGroup(id.pid, "SIGKILL");
    await hasEnded(id, 5_000);
  }
  for (const child of children.filter(isAlive)) {
    try {
      process.kill(child.pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}

async function hasEnded(id: ProcessId, patience: number): Promise<boolean> {
  for (const end = Date.now() + patience; isAlive(id) && Date.now() < end;) await sleep(20);
  return !isAlive(id);
}

/** Unmounts what a container engine left mounted below a folder, deepest first. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((place) => place.startsWith(`${directory}/`))
    .sort((a, b) => b.length - a.length);
  for (const place of mounts) await execa("umount", ["--lazy", place], { reject: false });
}

/** Whether this process may do what only root may. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

async function removeDirectory(directory: string): Promise<void> {
  await unmountBelow(directory);
  // The peer's files belong to root, and to the server.
  if (!isRoot())
    await execa("sudo", ["-n", "rm", "-rf", join(directory, "peer")], { reject: false });
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

/** Who a process runs as; whoever starts it where nothing is said. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** A process that runs in the background. */
export interface Daemon {
  /** Why it is no longer running, with its last words; undefined while it runs. */
  readonly failure: () => string | undefined;
  readonly stop: () => Promise<void>;
}

/** One run's folder, processes and duties. */
export class World {
  /** Short and unlike any other world's: a part of names. */
  readonly id = randomBytes(3).toString("hex");
  /** The folder, short enough for the path of a Unix socket. */
  readonly directory: string;
  readonly cleanup = new Cleanup();
  readonly #record: Registered;
  readonly #register: string;

  constructor() {
    const parent = tmpdir().length > LONGEST_PARENT ? "/tmp" : tmpdir();
    this.directory = join(parent, `fort-offsite-${this.id}`);
    this.#register = join(REGISTER, `${this.id}.json`);
    this.#record = {
      directory: this.directory,
      owner: processId(process.pid),
      processes: [],
      containers: [],
      machine: { folders: [], accounts: [] },
    };
    mkdirSync(REGISTER, { recursive: true });
    this.#save();
    mkdirSync(this.directory, { mode: 0o755 });
    this.cleanup.add("the register", () => rmSync(this.#register, { force: true }));
    this.cleanup.add("the world's folder", () => removeDirectory(this.directory));
  }

  /** Makes a folder in the world. */
  folder(...path: readonly string[]): string {
    const folder = join(this.directory, ...path);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Writes a file in the world that nobody else can read. */
  file(path: string, content: string): string {
    const file = join(this.directory, path);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  }

  /**
   * Starts a process that runs until the world ends, as an account if one is given, in a process group of its own, with its
   * output in a log file of the world.
   */
  start(name: string, program: string, args: readonly string[], account: Account = {}): Daemon {
    const log = join(this.folder("logs"), `${name}.log`);
    const output = openSync(log, "a", 0o600);
    const stdio = ["ignore", output, output] as ["ignore", number, number];
    const child = spawn(program, args, { ...account, detached: true, stdio });
    closeSync(output);
    if (child.pid === undefined) throw new Error(`${name} cannot be started: ${program}`);
    const id = processId(child.pid);
    this.#record.processes.push(id);
    this.#save();
    const stop = () => endGroup(id);
    this.cleanup.add(name, stop);
    const failure = () =>
      child.exitCode === null && child.signalCode === null
        ? undefined
        : `it has ended: ${readFileSync(log, "utf8").trimEnd().split("\n").slice(-5).join("\n")}`;
    return { failure, stop };
  }

  /** Notes containers at an engine that will outlive the world. */
  noteContainers(host: string, project: string): void {
    this.#record.containers.push({ host, project });
    this.#save();
  }

  /**
   * Makes a folder outside of the system's temporary one, where nobody but root may write on the way
   * to it, as sshd asks of a chroot. It goes with the world, and the accounts with this comment too.
   */
  machineFolder(path: string, account: string): void {
    if (!isRoot()) throw new Error(`${path} and its accounts need root: run this as root`);
    this.#record.machine?.folders.push(path);
    this.#record.machine?.accounts.push(account);
    this.#save();
    mkdirSync(path, { recursive: true, mode: 0o755 });
    this.cleanup.add(path, () => clearMachine(this.#record.machine));
  }

  #save(): void {
    writeFileSync(this.#register, JSON.stringify(this.#record));
  }
}

/** Removes folders, accounts and their groups that a world had on the machine. */
async function clearMachine(machine: Registered["machine"]): Promise<void> {
  const comments = new Set(machine?.accounts);
  const { stdout } = await execa("getent", ["passwd"], { reject: false });
  const users = stdout.split("\n").flatMap((line) => {
    const [name = "", , , , comment = ""] = line.split(":");
    return comments.has(comment) ? [name] : [];
  });
  for (const user of users) {
    await execa("userdel", ["--force", user], { reject: false });
  }
  for (const prefix of new Set(users.map((user) => user.slice(0, "fo-123456".length)))) {
    for (const group of [`${prefix}_hub`, `${prefix}_hosts`]) {
      await execa("groupdel", [group], { reject: false });
    }
  }
  for (const folder of machine?.folders ?? []) rmSync(folder, { recursive: true, force: true });
}

async function clear(record: Registered): Promise<void> {
  for (const id of record.processes.toReversed()) await endGroup(id, 5_000);
  for (const { host, project } of record.containers) await removeContainers(host, project);
  await clearMachine(record.machine);
  await removeDirectory(record.directory);
}

/** Removes a compose project's containers, running or not. */
export async function removeContainers(host: string, project: string): Promise<void> {
  const env = { DOCKER_HOST: host };
  const label = `label=com.docker.compose.project=${project}`;
  const { stdout } = await execa("docker", ["ps", "--all", "--quiet", "--filter", label], {
    env,
    reject: false,
  });
  const ids = stdout.split("\n").filter(Boolean);
  if (ids.length > 0) await execa("docker", ["rm", "--force", ...ids], { env, reject: false });
}

/**
 * Clears the worlds whose run was killed.
 *
 * @returns how many there were.
 */
export async function clearStaleWorlds(): Promise<number> {
  mkdirSync(REGISTER, { recursive: true });
  let count = 0;
  for (const name of readdirSync(REGISTER)) {
    const register = join(REGISTER, name);
    let record: Registered;
    try {
      record = JSON.parse(readFileSync(register, "utf8")) as Registered;
    } catch {
      // Its run was killed before it had anything to register.
      rmSync(register, { force: true });
      continue;
    }
    if (isAlive(record.owner)) continue;
    await clear(record);
    rmSync(register, { force: true });
    count += 1;
  }
  return count;
}

/** A TCP port of the loopback address that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === "object" && address !== null) resolve(address.port);
        else reject(new Error("The system gave no port"));
      });
    });
  });
}

/**
 * Waits until something is so.
 *
 * @param what - what is waited for, for the message.
 * @throws Error when it is not so after the time, in milliseconds, or when `failed` says why.
 */
export async function waitFor(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  { timeout = 30_000, failed }: { timeout?: number; failed?: () => string | undefined } = {},
): Promise<void> {
  for (const end = Date.now() + timeout; ;) {
    if (await isSo()) return;
    const reason = failed?.();
    if (reason !== undefined) throw new Error(`${what}: ${reason}`);
    if (Date.now() > end) throw new Error(`${what}: not within ${timeout / 1000} seconds`);
    await sleep(100);
  }
}
