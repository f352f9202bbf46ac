import { isFileName } from "../repository/layout.ts";
import { NameTable } from "../repository/name-table.ts";

/** What a server of version 2 of the API calls its listings. */
export const LISTING_TYPE = "application/vnd.x.restic.rest.v2";

/** No entry is nearly as long. A server that never ends one would fill the memory. */
const LONGEST_ENTRY = 4096;

/**
 * Reads a listing of rest-server's API version 2, `[{"name":…,"size":…},…]`, as it arrives, so that
 * its length does not matter. Names of unfinished files are left out.
 *
 * @param onOther - told of the names that are left out.
 * @throws Error where the text is something else.
 */
export async function readListing(
  chunks: AsyncIterable<Uint8Array>,
  onOther?: (name: string) => void,
): Promise<NameTable> {
  const table = new NameTable();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = rest.indexOf("}"); end !== -1; end = rest.indexOf("}", start)) {
      addEntry(table, rest.slice(start, end + 1), onOther);
      start = end + 1;
    }
    rest = rest.slice(start);
    if (rest.length > LONGEST_ENTRY)
      throw new Error("the server's listing has an entry without an end");
  }
  if (!/^\s*(\[\s*|,?\s*)\]\s*$/.test(rest)) throw new Error("the server's listing is cut short");
  return table;
}

function addEntry(table: NameTable, text: string, onOther?: (name: string) => void): void {
  const match = /^\s*[[,]?\s*(\{.*\})$/s.exec(text);
  const entry: unknown = match?.[1] === undefined ? undefined : JSON.parse(match[1]);
  if (!isEntry(entry))
    throw new Error("the server's listing is not one of rest-server's API version 2");
  if (isFileName(entry.name)) table.set(entry.name, entry.size);
  else onOther?.(entry.name);
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
