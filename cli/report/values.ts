/** Values of resources, as a preview has them: what differs between two, and what is never shown. */
import { isDeepStrictEqual } from "node:util";

/** What stands for a secret. */
export const SECRET = "[secret]";

/** What stands for a value that only the update will know. */
export const UNKNOWN = "(known after the update)";

const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** The engine's words for an unknown string, boolean, number, list, object and file. */
const UNKNOWNS: ReadonlySet<unknown> = new Set([
  "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
]);

/** Never shown, even where somebody had the preview made with --show-secrets. */
const PRIVATE =
  /^(?:applicationKey|credentialSeed|.*(?:secret|password|passphrase|token|privateKey)|value)$/i;

type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A leaf that differs. A side where there is none is undefined. */
export interface Difference {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** A leaf as people read it, masked where it is secret or unknown. */
function shown(value: unknown, path: string): string | undefined {
  if (value === undefined) return undefined;
  if (value === SECRET || (isFields(value) && Object.hasOwn(value, SIGNATURE))) return SECRET;
  if (UNKNOWNS.has(value)) return UNKNOWN;
  const key = path.split(/[.[\]]+/).findLast((part) => part !== "" && !/^\d+$/.test(part)) ?? "";
  if (typeof value === "string" && PRIVATE.test(key)) return SECRET;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** All that differs between two values, leaf by leaf. */
export function differences(before: unknown, after: unknown, path = ""): Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  const [old, now] = [branches(before), branches(after)];
  if (old === undefined && now === undefined) {
    return [{ path, before: shown(before, path), after: shown(after, path) }];
  }
  // A leaf in the place of a branch is as much of a change as what is below the branch.
  const leaves: Difference[] = [];
  if (old === undefined && before !== undefined && !isEmpty(before)) {
    leaves.push({ path, before: shown(before, path), after: undefined });
  }
  if (now === undefined && after !== undefined && !isEmpty(after)) {
    leaves.push({ path, before: undefined, after: shown(after, path) });
  }
  const keys = [...new Set([...Object.keys(old ?? {}), ...Object.keys(now ?? {})])];
  const list = Array.isArray(before ?? after);
  return [
    ...leaves,
    ...keys.flatMap((key) => differences(old?.[key], now?.[key], join(path, key, list))),
  ];
}

/** Whether it is a branch with nothing below it. */
function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** What is below a value; undefined for a leaf. */
function branches(value: unknown): Fields | undefined {
  if (Array.isArray(value)) {
    return value.length === 0 ? undefined : Object.fromEntries(value.entries());
  }
  if (!isFields(value) || Object.hasOwn(value, SIGNATURE)) return undefined;
  return Object.keys(value).length === 0 ? undefined : value;
}

function join(path: string, key: string, list: boolean): string {
  if (list) return `${path}[${key}]`;
  const part = /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
  return path === "" ? part : `${path}.${part}`;
}

/** The string at a key; undefined where it is none, secret, or not yet known. */
export function textAt(fields: Fields | undefined, key: string): string | undefined {
  const value = fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : undefined;
  return typeof value === "string" && value !== SECRET && !UNKNOWNS.has(value) ? value : undefined;
}
