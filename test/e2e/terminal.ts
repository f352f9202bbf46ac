/** A command at a real pseudo-terminal, answered as somebody at the keys would. */
import { spawn, type ChildProcess } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { PROJECT, waitFor } from "../../sandbox/world.ts";

/** What a key sends. */
export const KEY = { enter: "\r", interrupt: "\u0003", clear: "\u0015", down: "\u001b[B" } as const;

/** `offsite` at a terminal of 200 columns, through util-linux's `script`. */
export class Terminal {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #output = "";
  /** Up to where the output has been read by {@link sees}. */
  #read = 0;

  constructor(args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
    const quoted = args.map((arg) => `'${arg.replaceAll("'", "'\\''")}'`).join(" ");
    const command = `stty cols 200 rows 50; exec '${process.execPath}' '${PROJECT}/cli/offsite.mjs' ${quoted}`;
    this.#child = spawn("script", ["-qefc", command, "/dev/null"], {
      cwd: PROJECT,
      env: { ...process.env, TERM: "xterm", ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => (this.#output += chunk.toString("utf8")));
    this.#ended = new Promise((resolve) => {
      this.#child.once("close", (code) => resolve(code ?? 1));
    });
  }

  /** All that was shown, without the terminal's own codes. */
  get screen(): string {
    return stripVTControlCharacters(this.#output);
  }

  /** Waits until a text is shown, after all that was waited for before. */
  async sees(text: string): Promise<void> {
    const seen = () => this.screen.indexOf(text, this.#read);
    await waitFor(`"${text}" on the terminal`, () => seen() >= 0, {
      timeout: 120_000,
      failed: () =>
        this.#child.exitCode === null || seen() >= 0 ? undefined : `ended with:\n${this.screen}`,
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.screen.slice(-2000)}`);
    });
    this.#read = seen() + text.length;
  }

  /** Presses keys. */
  press(...keys: readonly string[]): void {
    this.#child.stdin?.write(keys.join(""));
  }

  /** Waits for a question and answers it, in the place of what is there or proposed. */
  async answers(question: string, answer: string): Promise<void> {
    await this.sees(question);
    this.press(KEY.clear, answer, KEY.enter);
  }

  /** Waits for the end. @returns the exit code. */
  end(): Promise<number> {
    return this.#ended;
  }

  /** Ends it, where it has not ended by itself. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
