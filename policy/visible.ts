import { UNKNOWN } from "./values.ts";

/**
 * A copy of a resource's properties as a policy is given them, with a mark in the place of what is
 * not known yet: to read that throws there.
 */
export function visible(value: unknown): unknown {
  if (Array.isArray(value)) {
    return Array.from({ length: value.length }, (_, at) => visible(readFrom(value, at)));
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.keys(value).map((key) => [key, visible(readFrom(value, key))]));
}

function readFrom(from: object, key: PropertyKey): unknown {
  try {
    return (from as Record<PropertyKey, unknown>)[key];
  } catch {
    return UNKNOWN;
  }
}
