import { badRequest } from "./errors.ts";
import type { Json } from "./model.ts";

/** The parameters of a call, from its JSON body or its query, read with checks. */
export class Fields {
  readonly #values: Json;
  readonly #fromQuery: boolean;

  /**
   * @param allowed - the operation's parameters; B2 refuses any other
   * @throws B2Error 400 `bad_request` on a parameter that the operation does not have
   */
  constructor(operation: string, values: Json, fromQuery: boolean, allowed: ReadonlySet<string>) {
    for (const name of Object.keys(values)) {
      if (!allowed.has(name)) throw badRequest(`unknown field in ${operation}: ${name}`);
    }
    this.#values = values;
    this.#fromQuery = fromQuery;
  }

  /** @returns whether the parameter was given and not null */
  has(name: string): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== null;
  }

  string(name: string): string {
    const value = this.optionalString(name);
    if (value === null) throw badRequest(`required field ${name} is missing`);
    return value;
  }

  optionalString(name: string): string | null {
    const value = this.#values[name] ?? null;
    if (value !== null && typeof value !== "string") {
      throw badRequest(`${name} must be a string`);
    }
    return value;
  }

  optionalInteger(name: string): number | null {
    const value = this.#values[name] ?? null;
    if (value === null) return null;
    const number = this.#fromQuery && typeof value === "string" ? Number(value) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number)) {
      throw badRequest(`${name} must be an integer`);
    }
    return number;
  }

  integer(name: string): number {
    const value = this.optionalInteger(name);
    if (value === null) throw badRequest(`required field ${name} is missing`);
    return value;
  }

  optionalBoolean(name: string): boolean | null {
    const value = this.#values[name] ?? null;
    if (this.#fromQuery && (value === "true" || value === "false")) return value === "true";
    if (value !== null && typeof value !== "boolean") {
      throw badRequest(`${name} must be true or false`);
    }
    return value;
  }

  /** In a query, a list is written with commas. */
  optionalStrings(name: string): string[] | null {
    const value = this.#values[name] ?? null;
    if (value === null) return null;
    if (this.#fromQuery && typeof value === "string") return value.split(",");
    if (!isStringArray(value)) throw badRequest(`${name} must be a list of strings`);
    return value;
  }

  optionalObject(name: string): Json | null {
    const value = this.#values[name] ?? null;
    if (value === null) return null;
    if (!isObject(value)) throw badRequest(`${name} must be an object`);
    return value;
  }

  optionalObjects(name: string): Json[] | null {
    const value = this.#values[name] ?? null;
    if (value === null) return null;
    if (!Array.isArray(value) || !value.every(isObject)) {
      throw badRequest(`${name} must be a list of objects`);
    }
    return value;
  }

  /** @returns an object whose values are all strings */
  optionalStringMap(name: string): Record<string, string> | null {
    const value = this.optionalObject(name);
    if (value === null) return null;
    for (const [key, entry] of Object.entries(value)) {
      if (typeof entry !== "string") throw badRequest(`${name}.${key} must be a string`);
    }
    return value as Record<string, string>;
  }
}

/** @returns whether a value is a JSON object */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isStringArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}
