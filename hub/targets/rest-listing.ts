import { isFileName } from "../repository/layout.ts";
import { NameTable } from "../repository/name-table.ts";
import { StopError } from "./target.ts";

/** What a server of version 2 of the API calls its listings. */
export const LISTING_TYPE = "application/vnd.x.restic.rest.v2";

/** No entry is nearly as long. A server that never ends one would fill the memory. */
const LONGEST_ENTRY = 4096;

/** No repository has nearly as many files of a kind: a server that never ends would fill the disk. */
const MOST_ENTRIES = 2 ** 24;

/** Where the names of a listing go. */
export type Names = Pick<NameTable, "set" | "setFrom">;

/**
 * Reads a listing of rest-server's API version 2, `[{"name":…,"size":…},…]`, as it arrives, so that
 * its length does not matter. Names of unfinished files are left out.
 *
 * @param onOther - told of the names that are left out.
 * @returns the names.
 * @throws Error where the text is something else.
 */
export async function readListing(
  chunks: AsyncIterable<Uint8Array>,
  onOther?: (name: string) => void,
): Promise<NameTable> {
  const table = new NameTable();
  await readListingInto(table, chunks, onOther);
  return table;
}

/**
 * The same, for names that go elsewhere than into a table.
 *
 * @param most - how many entries there may be.
 * @throws StopError of scope "host" where there are more.
 */
export async function readListingInto(
  into: Names,
  chunks: AsyncIterable<Uint8Array>,
  onOther?: (name: string) => void,
  most = MOST_ENTRIES,
): Promise<void> {
  /** The begin of an entry whose end has not arrived. */
  let rest: Buffer = Buffer.alloc(0);
  let count = 0;
  for await (const { buffer, byteOffset, length } of chunks) {
    const text = Buffer.from(buffer, byteOffset, length);
    let start = 0;
    for (let end = text.indexOf(CLOSE); end !== -1; end = text.indexOf(CLOSE, start)) {
      if (rest.length > 0) {
        rest = Buffer.concat([rest, text.subarray(0, end + 1)]);
        take(into, rest, 0, rest.length, onOther);
        rest = Buffer.alloc(0);
      } else take(into, text, start, end + 1, onOther);
      start = end + 1;
      count += 1;
      if (count > most) throw tooLong(most);
    }
    // A copy: what is left of a chunk would keep all of it.
    rest = Buffer.concat([rest, text.subarray(start)]);
    if (rest.length > LONGEST_ENTRY) throw new Error(OTHER);
  }
  if (!/^\s*(\[\s*|,?\s*)\]\s*$/.test(rest.toString("latin1"))) {
    throw new Error("the server's listing is cut short");
  }
}

/** Not to be tried again: each try takes as much of the disk. */
function tooLong(most: number): StopError {
  return new StopError("host", `the server's listing does not end after ${most} files`);
}

const OTHER = "the server's listing is not one of rest-server's API version 2";

const CLOSE = 0x7d;
const BEGIN = Buffer.from('{"name":"');
const MIDDLE = Buffer.from('","size":');
const NAME_DIGITS = 64;
const SIZE_DIGITS = 14;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const ZERO = 0x30;

function take(
  into: Names,
  text: Buffer,
  from: number,
  end: number,
  onOther?: (name: string) => void,
): void {
  if (takeFile(into, text, from, end)) return;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const match = /^\s*[[,]?\s*(\{.*\})$/s.exec(decoder.decode(text.subarray(from, end)));
  const entry: unknown = match?.[1] === undefined ? undefined : JSON.parse(match[1]);
  if (!isEntry(entry)) throw new Error(OTHER);
  if (isFileName(entry.name)) into.set(entry.name, entry.size);
  else onOther?.(entry.name);
}

/**
 * Takes an entry of a finished file as rest-server writes it, after a comma or a bracket. Without
 * making strings: there may be millions.
 *
 * @returns false where it is something else; nothing was taken then.
 */
function takeFile(into: Names, text: Buffer, from: number, end: number): boolean {
  const middle = from + 1 + BEGIN.length + NAME_DIGITS;
  const digits = middle + MIDDLE.length;
  const last = end - 1;
  if (last <= digits || last > digits + SIZE_DIGITS) return false;
  if (text[from] !== COMMA && text[from] !== BRACKET) return false;
  if (!holds(text, from + 1, BEGIN) || !holds(text, middle, MIDDLE)) return false;
  let size = 0;
  for (let at = digits; at < last; at += 1) {
    const digit = (text[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return false;
    size = size * 10 + digit;
  }
  return into.setFrom(text, middle - NAME_DIGITS, size, -1);
}

function holds(text: Buffer, from: number, what: Buffer): boolean {
  for (let at = 0; at < what.length; at += 1) if (text[from + at] !== what[at]) return false;
  return true;
}

function isEntry(value: unknown): value is { name: string; size: number } {
  return (
    typeof value === "object" &&
    value !== null &&
    "name" in value &&
    typeof value.name === "string" &&
    "size" in value &&
    typeof value.size === "number"
  );
}
