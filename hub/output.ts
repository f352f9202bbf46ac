/**
 * What the commands say. One line a message; under systemd each has its priority in front, so that
 * `journalctl -p` and its colours work (sd-daemon(3)).
 */
import { printable } from "./format.ts";

const PRIORITIES = { error: "<3>", warning: "<4>", notice: "<5>", info: "<6>" } as const;

/** As many errors are kept; there may be one for each of a million files. */
const KEPT = 20;

/** Where lines go: with `--json` standard output is for the report alone. */
export class Output {
  readonly #json: boolean;
  readonly #journal: boolean;
  readonly #errors: string[] = [];
  #errorCount = 0;

  constructor(options: { readonly json: boolean }) {
    this.#json = options.json;
    this.#journal = process.env.JOURNAL_STREAM !== undefined;
  }

  /** The first errors that were told. */
  get errors(): readonly string[] {
    return this.#errors;
  }

  /** How many there were. */
  get errorCount(): number {
    return this.#errorCount;
  }

  /** What was done. */
  info(line: string): void {
    this.#write("info", line);
  }

  /** What is worth knowing and no failure. */
  notice(line: string): void {
    this.#write("notice", line);
  }

  /** What will become a failure. */
  warning(line: string): void {
    this.#write("warning", line);
  }

  /** What failed, and the way out. Always to standard error. */
  error(line: string): void {
    this.#errorCount += 1;
    if (this.#errors.length < KEPT) this.#errors.push(oneLine(line));
    console.error(`${this.#prefix("error")}error: ${oneLine(line)}`);
  }

  /** The report of `--json`; nothing without it. */
  report(value: unknown): void {
    if (this.#json) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  #write(priority: keyof typeof PRIORITIES, line: string): void {
    const text = this.#prefix(priority) + oneLine(line);
    if (this.#json) console.error(text);
    else console.log(text);
  }

  #prefix(priority: keyof typeof PRIORITIES): string {
    return this.#journal ? PRIORITIES[priority] : "";
  }
}

function oneLine(text: string): string {
  return printable(text.trim().replaceAll(/\s*\n\s*/g, " "));
}
