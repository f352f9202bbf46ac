/** One line on a terminal that says what each target is asked now. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #now = new Map<string, string>();

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** @param check - undefined when the target is done with. */
  show(target: string, check: string | undefined): void {
    if (check === undefined) this.#now.delete(target);
    else this.#now.set(target, check);
    this.#write([...this.#now].map(([name, what]) => `${name}: ${what} …`).join(" · "));
  }

  /** Takes the line away. */
  clear(): void {
    this.#write("");
  }

  #write(line: string): void {
    if (!this.#out.isTTY) return;
    this.#out.write(`\r\u001b[K${line.slice(0, Math.max(20, this.#out.columns - 1))}`);
  }
}
