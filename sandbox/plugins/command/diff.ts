/** What changed between a state and new inputs, property by property. */
import { isDeepStrictEqual } from "node:util";
import { plain, type Raw, type RawProperties } from "./wire.ts";

/** One change. */
export interface Change {
  /** As the engine writes paths: `environment.HOME`, `triggers[0]`. */
  path: string;
  kind: "add" | "delete" | "update";
  /** A change of a trigger makes a new resource; all others update the one that is there. */
  replaces: boolean;
}

/** Compares two sets of inputs. Marks of secrecy are no difference. */
export function changes(olds: RawProperties, news: RawProperties): Change[] {
  return walk("", plain(olds), plain(news)).map((change) => ({
    ...change,
    replaces: /^triggers(?:$|[.[])/.test(change.path),
  }));
}

function walk(
  path: string,
  old: Raw | undefined,
  now: Raw | undefined,
): Omit<Change, "replaces">[] {
  if (isDeepStrictEqual(old, now)) return [];
  if (old === undefined || old === null) return [{ path, kind: "add" }];
  if (now === undefined || now === null) return [{ path, kind: "delete" }];
  if (typeof old === "object" && typeof now === "object") {
    if (Array.isArray(old) !== Array.isArray(now)) return [{ path, kind: "update" }];
    const at = (value: Raw, name: string) => (value as Record<string, Raw | undefined>)[name];
    const names = new Set([...Object.keys(old), ...Object.keys(now)]);
    return [...names].flatMap((name) =>
      walk(join(path, name, Array.isArray(old)), at(old, name), at(now, name)),
    );
  }
  return [{ path, kind: "update" }];
}

function join(path: string, name: string, isIndex: boolean): string {
  if (isIndex) return `${path}[${name}]`;
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === "" ? name : `${path}.${name}`;
}
