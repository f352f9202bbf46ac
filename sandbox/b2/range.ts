import { B2Error } from "./errors.ts";

/** A stretch of a file's bytes. */
export interface ByteRange {
  offset: number;
  length: number;
}

/**
 * Reads a `Range` header of one range (RFC 9110, section 14): `bytes=2-5`, `bytes=2-`, `bytes=-5`.
 * An end past the file's end is taken as its end.
 *
 * @throws B2Error 416 `range_not_satisfiable` when no byte of the file is in it
 */
export function parseRange(header: string, size: number): ByteRange {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header.trim());
  const [, first = "", last = ""] = match ?? [];
  if (match === null || (first === "" && last === "")) throw unsatisfiable();
  const offset = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (offset > end) throw unsatisfiable();
  return { offset, length: end - offset + 1 };
}

function unsatisfiable(): B2Error {
  return new B2Error(
    416,
    "range_not_satisfiable",
    "The Range in the request is outside the size of the file",
  );
}
