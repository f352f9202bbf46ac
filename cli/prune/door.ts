/**
 * The door at a peer, from the operator's side: opened for a piece of work, kept open by a sign of
 * life every few seconds, closed at the end whatever happens, and proven to be closed.
 */
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import bcrypt from "bcryptjs";
import { execa } from "execa";
import { messageOf } from "../../hub/errors.ts";
import { excerpt, printable } from "../../hub/format.ts";
import {
  doorCommand,
  doorScript,
  parseLook,
  PATIENCE_SECONDS,
  type DoorPlace,
  type Look,
} from "../../peer/door.ts";
import { forward } from "../../peer/forward.ts";
import {
  reasonOf,
  runOnPeer,
  sshArguments,
  UnreachableError,
  wasLetIn,
  withPrivateFolder,
} from "../../peer/ssh.ts";
import { interruption } from "../interruption.ts";

const BEAT_MS = 5_000;
/** Opening starts a container on a machine that may be slow. */
const OPENING_MS = 90_000;
/** As long is waited for the peer's word that the door is closed, before it is asked anew. */
const CLOSING_MS = 40_000;
/** How often the peer is asked whether the door is closed, and the pause between. */
const CHECKS = 4;
const CHECK_PAUSE_MS = 5_000;
/** The same as the server's own htpasswd: against 256 random bits there is nothing to guess. */
const BCRYPT_COST = 5;

/** The door while it is open. */
export interface Door {
  /** At 127.0.0.1 of this machine; it leads to the door. */
  readonly port: number;
  /** Of every host that it was opened for, until it is closed. Secret. */
  readonly password: string;
  /** Aborts when the command is interrupted, and when the door is gone. */
  readonly signal: AbortSignal;
}

/** What the door is opened for. */
export interface DoorOptions {
  readonly hosts: readonly string[];
  readonly minutes: number;
  /** Told of each step. */
  readonly say: (line: string) => void;
  /** Tries through the server itself whether it refuses removals again; throws where it does not. */
  readonly tryRemoval: () => Promise<void>;
}

/** The door could not be proven to be closed. */
export class DoorError extends Error {
  override name = "DoorError";
}

/**
 * Looks at a peer's server, removes doors that were left behind, and lists when snapshots arrived.
 *
 * @throws Error where the server is not there or not ours.
 */
export async function lookAtPeer(place: DoorPlace, hosts: readonly string[]): Promise<Look> {
  const result = await runOnPeer(place.connection, doorCommand(place.connection), {
    input: doorScript(place, { mode: "look", hosts }),
    signal: interruption,
  });
  const look = result.exitCode === 0 ? parseLook(result.stdout) : undefined;
  if (look !== undefined) return look;
  throw new Error(`the peer: ${lastLine(result.stderr) || "its answer is cut short"}`);
}

/**
 * Opens the door, does the work, closes the door and proves it, also where the work fails or is
 * interrupted.
 *
 * @throws DoorError where the door is not proven to be closed.
 */
export async function throughDoor<T>(
  place: DoorPlace,
  options: DoorOptions,
  work: (door: Door) => Promise<T>,
): Promise<T> {
  interruption.throwIfAborted();
  let port: number | undefined;
  let outcome: { value: T } | { error: unknown };
  let isClosed = false;
  try {
    const value = await withPrivateFolder(place.connection, [], async (folder) => {
      const session = new Session(
        place,
        options,
        sshArguments(folder, doorCommand(place.connection)),
      );
      try {
        port = await session.opened(async () => reasonFrom(await folder.log(), place));
        options.say(
          `The door is open, at ${place.connection.host}'s loopback address, port ${port}.`,
        );
        return await workThrough(place, port, session, work);
      } finally {
        isClosed = await session.close();
      }
    });
    outcome = { value };
  } catch (error) {
    outcome = { error };
  }
  await prove(place, options, port, isClosed, outcome);
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

/**
 * Closes the door from a connection of its own, and proves it.
 *
 * @throws DoorError where that is not possible.
 */
export async function closeDoor(
  place: DoorPlace,
  options: Pick<DoorOptions, "say" | "tryRemoval">,
): Promise<void> {
  await prove(place, { ...options, hosts: [], minutes: 0 }, undefined, false, undefined);
}

async function workThrough<T>(
  place: DoorPlace,
  port: number,
  session: Session,
  work: (door: Door) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.any([interruption, session.ended]);
  const way = await forward(place.connection, "127.0.0.1", port, { signal });
  try {
    return await work({ port: way.port, password: session.password, signal });
  } catch (error) {
    // What happened to the door explains better than what that did to a request.
    signal.throwIfAborted();
    const broken = way.failure();
    throw broken === undefined ? error : new Error(broken, { cause: error });
  } finally {
    await way.close();
  }
}

/** One SSH connection with the script that holds the door open. */
class Session {
  readonly password = randomBytes(32).toString("base64url");
  /** Aborts when the door has closed without us. */
  readonly ended: AbortSignal;
  readonly #ssh: ReturnType<typeof startSsh>;
  readonly #beat: NodeJS.Timeout;
  readonly #lines: string[] = [];
  readonly #opening: Promise<number | undefined>;
  #isClosing = false;

  constructor(place: DoorPlace, options: DoorOptions, args: readonly string[]) {
    const limit = options.minutes * 60;
    const ended = new AbortController();
    this.ended = ended.signal;
    this.#ssh = startSsh(args);
    this.#ssh.stdin.on("error", () => undefined);
    this.#ssh.stdin.write(doorScript(place, { mode: "open", limit }));
    this.#ssh.stdin.write(htpasswd(options.hosts, this.password));
    this.#beat = setInterval(() => this.#ssh.stdin.write("\n"), BEAT_MS);
    const lines = createInterface({ input: this.#ssh.stdout });
    lines.on("line", (line) => this.#lines.push(line));
    this.#opening = new Promise((resolve) => {
      lines.on("line", (line) => {
        const match = /^open (\d+) \d+$/.exec(line);
        if (match !== null) resolve(Number(match[1]));
      });
      void this.#ssh.then(() => resolve(undefined));
    });
    void this.#ssh.then(() => {
      clearInterval(this.#beat);
      if (this.#isClosing) return;
      const why = this.#lines.includes("closed")
        ? `the door has closed by itself: its ${options.minutes} minutes were over (--minutes), or it had heard nothing from here for ${PATIENCE_SECONDS} seconds`
        : "the connection to the peer broke, and with it the door closes";
      ended.abort(
        new Error(
          `${why}. What was removed stays removed, in an order that leaves the copy sound. Run it again`,
        ),
      );
    });
  }

  /** The door's port at the peer. */
  async opened(reason: () => Promise<string | undefined>): Promise<number> {
    const timeout = AbortSignal.timeout(OPENING_MS);
    const port = await until(this.#opening, AbortSignal.any([interruption, timeout]));
    if (port !== undefined) return port;
    interruption.throwIfAborted();
    if (timeout.aborted) throw new Error("the peer did not open the door in time");
    const { stderr } = await this.#ssh;
    const said = (await reason()) ?? (lastLine(stderr) || "the connection broke");
    throw new Error(`the door could not be opened: ${said}`);
  }

  /** Ends standard input, which closes the door. Whether the peer has said that it is closed. */
  async close(): Promise<boolean> {
    this.#isClosing = true;
    clearInterval(this.#beat);
    this.#ssh.stdin.end();
    await until(this.#ssh, AbortSignal.timeout(CLOSING_MS));
    this.#ssh.kill("SIGKILL");
    await this.#ssh;
    return this.#lines.includes("closed");
  }
}

// In a group of its own: Ctrl-C at the terminal is ours to heed, and ends nothing by itself.
function startSsh(args: readonly string[]) {
  return execa("ssh", args, {
    stdin: "pipe",
    reject: false,
    detached: true,
    buffer: { stdout: false, stderr: true },
  });
}

/** Proves that the door is closed. Here an interruption is not heeded: it is what follows one. */
async function prove(
  place: DoorPlace,
  options: DoorOptions,
  port: number | undefined,
  isClosed: boolean,
  outcome: { value: unknown } | { error: unknown } | undefined,
): Promise<void> {
  try {
    // Without an outcome nothing was opened from here: one look tells.
    if (!isClosed) await askWhetherClosed(place, port, outcome === undefined ? 1 : CHECKS);
    options.say("The door is closed: its container is gone, and nobody listens at its port.");
    await options.tryRemoval();
    options.say("The peer's server refuses removals (403), tried with a host's own credential.");
  } catch (error) {
    const before =
      outcome !== undefined && "error" in outcome ? `${messageOf(outcome.error)}. And ` : "";
    const latest =
      options.minutes === 0
        ? ""
        : `. It ends by itself without a sign of life from here within a minute, and after ${options.minutes} minutes in any case`;
    throw new DoorError(
      `${before}the door could not be proven to be closed: ${messageOf(error)}${latest}. Look again with --close`,
      { cause: error },
    );
  }
}

async function askWhetherClosed(
  place: DoorPlace,
  port: number | undefined,
  attempts: number,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { exitCode, stdout, stderr } = await runOnPeer(
        place.connection,
        doorCommand(place.connection),
        {
          input: doorScript(place, { mode: "check", port }),
          signal: AbortSignal.timeout(2 * CLOSING_MS),
        },
      );
      if (exitCode === 0 && stdout.split("\n").includes("closed")) return;
      throw new Error(lastLine(stderr) || "the peer gave no answer");
    } catch (error) {
      if (attempt === attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, CHECK_PAUSE_MS));
    }
  }
}

/** The lines of an htpasswd file, and the one that ends them. */
function htpasswd(hosts: readonly string[], password: string): string {
  const hash = bcrypt.hashSync(password, BCRYPT_COST).replace(/^\$2b\$/, "$2y$");
  return `${hosts.map((host) => `${host}:${hash}\n`).join("")}.\n`;
}

/** Waits for a promise, or until a signal aborts; undefined then. */
async function until<T>(promise: PromiseLike<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  let stop: () => void = () => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    signal.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function reasonFrom(log: string, place: DoorPlace): string | undefined {
  return wasLetIn(log) ? undefined : new UnreachableError(reasonOf(log, place.connection)).message;
}

function lastLine(text: string): string {
  return printable(text.trim().split("\n").slice(-3).map(excerpt).join("; "));
}
