/** How the checks between values read a config as it was given, whatever its state. */

/** A mapping of which nothing is known. */
export type Fields = Readonly<Record<string, unknown>>;

/** The value where it is a mapping; an empty one where it is anything else. */
export function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

/** The value where it is a string. */
export function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
