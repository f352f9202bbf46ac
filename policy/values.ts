/** Reading what Pulumi says of a resource's inputs, parts of which may be hidden or not yet known. */
import { printable } from "../hub/format.ts";

/** What stands in a preview's JSON for a secret. */
export const MASKED = "[secret]";

/** The key by which Pulumi marks an object that stands for another value. */
export const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** The mark of a secret. */
export const SECRET_MARK = "1b47061264138c4ac30d75fd1eb44270";

/** What stands for a value that is known after the update only. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/**
 * Whether a rule cannot see the value: it is a secret, or not known before the update. Pulumi has
 * an unknown of its own for each kind of value; all start alike but for the first two digits.
 */
export function isUnseen(value: unknown): boolean {
  if (value === MASKED) return true;
  if (typeof value === "string") return UNKNOWNS.has(value);
  return isObject(value) && Object.hasOwn(value, SIGNATURE);
}

/** The engine's words for an unknown string, boolean, number, list, object and file. */
const UNKNOWNS: ReadonlySet<string> = new Set([
  UNKNOWN,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** An object as JSON has it: no list and no null. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as a list; undefined where it is none. */
export function asList(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

/** A scalar as text; nothing where it is none. */
export function asText(value: unknown): string {
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : "";
}

const MOST_SHOWN = 60;

/** A value that is no secret as a message shows it; short, and safe for a terminal. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return "not set";
  if (value === MASKED || (isObject(value) && Object.hasOwn(value, SIGNATURE))) {
    return "a secret, which cannot be judged";
  }
  if (isUnseen(value)) return "not known before the update";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (isObject(value)) return "an object";
  const text = printable(JSON.stringify(value));
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…"` : text;
}
