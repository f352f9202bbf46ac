import { Unknown, type Properties, type Value } from "./wire.ts";

/** One thing that is wrong with an input. */
export interface Problem {
  /** The property's path. */
  property: string;
  reason: string;
}

/**
 * Collects what is wrong with a resource's inputs. Values that only the deployment will know pass:
 * they are checked again then.
 */
export class Checker {
  readonly problems: Problem[] = [];

  add(property: string, reason: string): void {
    this.problems.push({ property, reason });
  }

  /** Reports members that the schema does not have. */
  knownMembers(path: string, object: Properties, known: readonly string[]): void {
    for (const name of Object.keys(object)) {
      if (known.includes(name) || name.startsWith("__")) continue;
      const property = path === "" ? name : `${path}.${name}`;
      this.add(property, `is not a property here; known are ${known.join(", ")}`);
    }
  }

  /** The value as a string; undefined, with a problem where due, when it is none. */
  string(path: string, value: Value | undefined, required = false): string | undefined {
    return this.#typed(path, value, required, "a string", (v) => typeof v === "string");
  }

  boolean(path: string, value: Value | undefined, required = false): boolean | undefined {
    return this.#typed(path, value, required, "true or false", (v) => typeof v === "boolean");
  }

  /** The value as a whole number from `least` to `most`. */
  integer(
    path: string,
    value: Value | undefined,
    least: number,
    most: number,
    required = false,
  ): number | undefined {
    const number = this.#typed(path, value, required, "a number", (v) => typeof v === "number");
    if (number === undefined) return undefined;
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    const range =
      most === Number.MAX_SAFE_INTEGER
        ? `of ${least} or more`
        : `from ${least} to ${most.toLocaleString("en")}`;
    this.add(path, `got ${number}, must be a whole number ${range}`);
    return undefined;
  }

  list(path: string, value: Value | undefined, required = false): Value[] | undefined {
    return this.#typed(path, value, required, "a list", (v) => Array.isArray(v));
  }

  object(path: string, value: Value | undefined, required = false): Properties | undefined {
    return this.#typed(
      path,
      value,
      required,
      "an object",
      (v): v is Properties =>
        typeof v === "object" && v !== null && !Array.isArray(v) && !(v instanceof Unknown),
    );
  }

  /** The value as one of some strings. */
  oneOf(
    path: string,
    value: Value | undefined,
    allowed: readonly string[],
    required = false,
  ): string | undefined {
    const text = this.string(path, value, required);
    if (text === undefined || allowed.includes(text)) return text;
    this.add(path, `got ${quote(text)}, must be one of ${allowed.map(quote).join(", ")}`);
    return undefined;
  }

  /** The known strings of a list; each item that is not a string is a problem. */
  strings(path: string, value: Value | undefined, required = false): string[] | undefined {
    return this.list(path, value, required)?.flatMap(
      (item, index) => this.string(`${path}[${index}]`, item, true) ?? [],
    );
  }

  #typed<T extends Value>(
    path: string,
    value: Value | undefined,
    required: boolean,
    kind: string,
    is: (value: Value) => value is T,
  ): T | undefined {
    if (value instanceof Unknown) return undefined;
    if (value === undefined || value === null) {
      if (required) this.add(path, "is missing");
      return undefined;
    }
    if (is(value)) return value;
    this.add(path, `must be ${kind}`);
    return undefined;
  }
}

/** A value as errors show it. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}…` : text);
}
