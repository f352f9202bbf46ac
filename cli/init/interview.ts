/** Questions on places of the settings. */
import { at, isRecord, problemAt, withValue, type Draft, type Path } from "./draft.ts";
import { askText } from "./prompts.ts";

/** The settings as they come together on the terminal. */
export class Interview {
  /** What is answered so far. */
  draft: Draft;
  /** What was there before, to be proposed. */
  readonly before: Draft;
  readonly stack: string;
  /** Given beforehand and right: not asked for. */
  readonly #given: Draft;

  constructor(given: Draft, before: Draft, stack: string) {
    this.#given = given;
    this.draft = given;
    this.before = before;
    this.stack = stack;
  }

  /** Whether there is nothing to ask for at a place. */
  isGiven(path: Path): boolean {
    return at(this.#given, path) !== undefined;
  }

  /** What is proposed for a place: what was there before, else what is said. */
  proposal(path: Path, otherwise?: string | number): string | undefined {
    const value = at(this.before, path) ?? otherwise;
    return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
  }

  /** What would be wrong with a value at a place. */
  check(path: Path, value: unknown): string | undefined {
    return problemAt(withValue(this.draft, path, value), path, this.stack);
  }

  set(path: Path, value: unknown): void {
    this.draft = withValue(this.draft, path, value);
  }

  /** Leaves a value as it was before, unless it is given: nobody needs to be asked for it. */
  keep(path: Path): void {
    const value = at(this.before, path);
    if (value !== undefined && !this.isGiven(path)) this.set(path, value);
  }

  /** Leaves all else below a place as it was before. */
  keepOthers(path: Path, asked: readonly string[]): void {
    const before = at(this.before, path);
    const names = isRecord(before) ? Object.keys(before) : [];
    for (const name of names) if (!asked.includes(name)) this.keep([...path, name]);
  }

  /** Asks for a text or a number at a place, unless it is given. */
  async ask(
    path: Path,
    message: string,
    options: { readonly proposal?: string | number | undefined; readonly isNumber?: boolean } = {},
  ): Promise<void> {
    if (this.isGiven(path)) return;
    const read = (text: string) => (options.isNumber === true ? toNumber(text) : text);
    const answer = await askText({
      message,
      default: this.proposal(path, options.proposal),
      check: (text) => this.check(path, read(text)),
    });
    this.set(path, read(answer));
  }
}

/** A number, or the text as it is for the rule to refuse. */
function toNumber(text: string): unknown {
  const value = Number(text.replace(",", "."));
  return text === "" || !Number.isFinite(value) ? text : value;
}
