/** One SSH connection with the script that holds a door open at a peer. */
import { randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import bcrypt from "bcryptjs";
import { execa } from "execa";
import { excerpt, printable } from "../../hub/format.ts";
import { doorScript, PATIENCE_SECONDS, type DoorPlace } from "../../peer/door.ts";
import { interruption } from "../interruption.ts";

const BEAT_MS = 5_000;
/** Opening starts a container on a machine that may be slow. */
const OPENING_MS = 90_000;
/** As long is waited for the peer's word that the door is closed, before it is asked anew. */
const CLOSING_MS = 40_000;
/** The same as the server's own htpasswd: against 256 random bits there is nothing to guess. */
const BCRYPT_COST = 5;

/** Opens the door when it is made; {@link close} must be called. */
export class Session {
  readonly password = randomBytes(32).toString("base64url");
  /** Aborts when the door has closed without us. */
  readonly ended: AbortSignal;
  readonly #ssh: ReturnType<typeof startSsh>;
  readonly #beat: NodeJS.Timeout;
  readonly #lines: string[] = [];
  readonly #opening: Promise<number | undefined>;
  #isClosing = false;

  constructor(
    place: DoorPlace,
    options: { readonly hosts: readonly string[]; readonly minutes: number },
    args: readonly string[],
  ) {
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

/** The end of what the peer complained of, on one line. */
export function lastLine(text: string): string {
  return printable(text.trim().split("\n").slice(-3).map(excerpt).join("; "));
}
