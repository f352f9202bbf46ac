import { Unknown, type Properties, type Value } from "./wire.ts";

/** One place where the wanted resource differs from the one that stands. */
export interface Difference {
  /** A property path as Pulumi writes it, such as `lifecycleRules[0].fileNamePrefix`. */
  path: string;
  kind: "add" | "delete" | "update";
  /** Only a new resource can have it. */
  replaces: boolean;
  /** The difference is better shown against the old inputs than against the old outputs. */
  ofInputs?: boolean;
}

/** Compares two values place by place; null and absent are the same. Unknown values differ. */
export function differences(
  path: string,
  old: Value | undefined,
  wanted: Value | undefined,
  replaces = false,
): Difference[] {
  const isOld = old !== undefined && old !== null;
  const isWanted = wanted !== undefined && wanted !== null;
  if (!isOld && !isWanted) return [];
  if (!isOld) return [{ path, kind: "add", replaces }];
  if (!isWanted) return [{ path, kind: "delete", replaces }];
  if (Array.isArray(old) && Array.isArray(wanted)) {
    return Array.from({ length: Math.max(old.length, wanted.length) }, (_, index) =>
      differences(`${path}[${index}]`, old[index], wanted[index], replaces),
    ).flat();
  }
  if (isObject(old) && isObject(wanted)) {
    const names = new Set([...Object.keys(old), ...Object.keys(wanted)]);
    return [...names].flatMap((name) =>
      differences(memberPath(path, name), old[name], wanted[name], replaces),
    );
  }
  return old === wanted ? [] : [{ path, kind: "update", replaces }];
}

/** Compares two lists whose order says nothing, as one property. */
export function setDifference(
  path: string,
  old: string[],
  wanted: Value[],
  replaces: boolean,
): Difference[] {
  const same =
    new Set(old).size === new Set(wanted).size &&
    wanted.every((item) => typeof item === "string" && old.includes(item));
  if (same) return [];
  const kind = old.length === 0 ? "add" : wanted.length === 0 ? "delete" : "update";
  // Outputs hold sets in alphabetical order; the program's own order reads better.
  return [{ path, kind, replaces, ofInputs: true }];
}

function isObject(value: Value): value is Properties {
  return (
    typeof value === "object" &&
    value !== null &&
    !(value instanceof Unknown) &&
    !Array.isArray(value)
  );
}

function memberPath(path: string, name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`;
}
