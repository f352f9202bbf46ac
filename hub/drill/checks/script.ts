/**
 * The text of a dump, line by line: which lines are statements that matter here, and which are
 * rows. Text is taken as Latin-1 throughout, so that every byte comes through as it is.
 */

/** A line with its end, or a part of a very long one. */
export interface Line {
  readonly text: string;
  /** Whether it begins a line: only such a one can be a statement. */
  readonly begins: boolean;
}

const LONGEST = 1024 ** 2;

/** Splits a dump into lines, many at a time. */
export async function* linesOf(dump: AsyncIterable<Buffer>): AsyncGenerator<Line[]> {
  let rest = "";
  let begins = true;
  for await (const chunk of dump) {
    const lines: Line[] = [];
    const parts = (rest + chunk.toString("latin1")).split(/(?<=\n)/);
    rest = parts.at(-1)?.endsWith("\n") === true ? "" : (parts.pop() ?? "");
    for (const text of parts) {
      lines.push({ text, begins });
      begins = true;
    }
    if (rest.length > LONGEST) {
      lines.push({ text: rest, begins });
      rest = "";
      begins = false;
    }
    yield lines;
  }
  if (rest !== "") yield [{ text: rest, begins }];
}

/** What kind of line of a dump this is. */
export type Meaning =
  | { readonly kind: "connect"; readonly database: string }
  | { readonly kind: "extension"; readonly name: string; readonly schema: string }
  /** It makes or names what belongs to a whole server, or says whose something is. */
  | { readonly kind: "left out" }
  | { readonly kind: "other" };

const NAME = String.raw`("(?:[^"]|"")+"|[\w$]+)`;
const CONNECT = /^\\connect (?:-reuse-previous=on )?("(?:[^"]|"")+"|\S+)\s*$/;
const EXTENSION = new RegExp(
  `^CREATE EXTENSION (?:IF NOT EXISTS )?${NAME}(?: WITH SCHEMA ${NAME})?`,
);
const LEFT_OUT = [
  /^\\(un)?restrict [A-Za-z0-9]+\s*$/,
  /^\\encoding \w+\s*$/,
  /^(CREATE|ALTER|DROP) (DATABASE|ROLE|USER|TABLESPACE|EXTENSION) /,
  /^COMMENT ON (EXTENSION|DATABASE|ROLE|TABLESPACE) /,
  /^(GRANT|REVOKE) /,
  /^ALTER DEFAULT PRIVILEGES /,
  /^ALTER .* OWNER TO [^;]+;\s*$/,
  /^SET SESSION AUTHORIZATION /,
  /^SET default_tablespace = /,
  // What `--clean` writes; here nothing is there yet.
  /^DROP [A-Z ]+ .*;\s*$/,
  /^ALTER .* DROP (CONSTRAINT|DEFAULT)\b.*;\s*$/,
];

/** Follows a dump's text and tells statements from rows. */
export class Script {
  #rows = false;

  /** What the next line means. */
  read(line: Line): Meaning {
    const { text, begins } = line;
    if (!begins) return { kind: "other" };
    if (this.#rows) {
      this.#rows = !/^\\\.\r?\n?$/.test(text);
      return { kind: "other" };
    }
    if (/^COPY .* FROM stdin;\s*$/.test(text)) {
      this.#rows = true;
      return { kind: "other" };
    }
    return meaningOf(text);
  }
}

function meaningOf(text: string): Meaning {
  const connect = CONNECT.exec(text)?.[1];
  if (connect !== undefined) return { kind: "connect", database: databaseIn(connect) };
  const extension = EXTENSION.exec(text);
  if (extension?.[1] !== undefined) {
    const schema = unquoted(extension[2] ?? "public");
    return { kind: "extension", name: unquoted(extension[1]), schema };
  }
  return { kind: LEFT_OUT.some((pattern) => pattern.test(text)) ? "left out" : "other" };
}

/** `name`, `"name"`, or `"dbname='name'"`. */
function databaseIn(operand: string): string {
  const name = unquoted(operand);
  const quoted = /^dbname='(.*)'$/.exec(name)?.[1];
  return quoted === undefined ? name : quoted.replaceAll(/\\(.)/g, "$1");
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/** A name as PostgreSQL reads it, whatever is in it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** What a dump is, after all of it has been read. */
export interface Inspection {
  /** Whether the line is there that is written last. */
  readonly complete: boolean;
  /** Whether it is of a whole server. */
  readonly cluster: boolean;
  /** The major version of the server that it is from, where it says so. */
  readonly major: number | undefined;
  /** The databases' names in their order; "" for the one of a dump that names none. */
  readonly databases: readonly string[];
  /** By database. */
  readonly extensions: ReadonlyMap<string, readonly { name: string; schema: string }[]>;
  readonly bytes: number;
}

const LAST_LINES = 12;

/**
 * Reads a dump to its end.
 *
 * @throws Error where it cannot be read.
 */
export async function inspect(dump: AsyncIterable<Buffer>): Promise<Inspection> {
  const script = new Script();
  let cluster = false;
  let major: number | undefined;
  let database = "";
  let bytes = 0;
  let lines = 0;
  const databases = new Set<string>();
  const extensions = new Map<string, { name: string; schema: string }[]>();
  const last: string[] = [];
  for await (const batch of linesOf(dump)) {
    for (const line of batch) {
      bytes += line.text.length;
      lines += 1;
      if (lines < 10) cluster ||= line.text.startsWith("-- PostgreSQL database cluster dump");
      const version = /^-- Dumped from database version (\d+)/.exec(line.text)?.[1];
      if (version !== undefined) major = Math.max(major ?? 0, Number(version));
      last.push(line.text.slice(0, 200));
      if (last.length > LAST_LINES) last.shift();
      const meaning = script.read(line);
      if (meaning.kind === "connect") database = meaning.database;
      if (meaning.kind === "connect") databases.add(database);
      if (meaning.kind !== "extension") continue;
      extensions.set(database, [...(extensions.get(database) ?? []), meaning]);
    }
  }
  const trailer = `-- PostgreSQL database ${cluster ? "cluster " : ""}dump complete`;
  return {
    complete: last.some((line) => line.trim() === trailer),
    cluster,
    major,
    databases: databases.size === 0 && !cluster ? [""] : [...databases],
    extensions,
    bytes,
  };
}
