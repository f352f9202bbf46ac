/** Dumps that `pg_dump` and `pg_dumpall` wrote: how they are recognised and read. */
import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename, dirname } from "node:path";
import { createGunzip } from "node:zlib";

/** How a dump is written. */
export type DumpFormat = "plain" | "gzip" | "zstd" | "archive" | "directory";

/** A file that is a dump, or should be one. */
export interface Dump {
  readonly file: Buffer;
  readonly format: DumpFormat;
}

const HEADER = /^(--\s*)?-- PostgreSQL database (cluster )?dump\b/;
const ARCHIVE_MAGIC = "PGDMP";
const COMPRESSED = /\.(sql|dump)\.(gz|zst)$/;

/**
 * Recognises a dump by what it begins with.
 *
 * @param head - the first bytes of the file.
 */
export function recogniseDump(file: Buffer, head: Buffer): Dump | undefined {
  const text = head.toString("latin1");
  const name = basename(file.toString("latin1"));
  if (text.startsWith(ARCHIVE_MAGIC)) {
    return { file, format: name === "toc.dat" ? "directory" : "archive" };
  }
  if (HEADER.test(text)) return { file, format: "plain" };
  if (!COMPRESSED.test(name)) return undefined;
  if (text.startsWith("\x1f\x8b")) return { file, format: "gzip" };
  return text.startsWith("\x28\xb5\x2f\xfd") ? { file, format: "zstd" } : undefined;
}

/** Where PostgreSQL's and zstd's programs are. */
export interface DumpPrograms {
  readonly pgRestore: string;
  readonly zstd: string;
}

/** Opens a dump as SQL text. What goes wrong in reading it is thrown while it is read. */
export function openDump(dump: Dump, programs: DumpPrograms): AsyncIterable<Buffer> {
  switch (dump.format) {
    case "plain":
      return createReadStream(dump.file);
    case "gzip": {
      const file = createReadStream(dump.file);
      const text = createGunzip();
      file.on("error", (error) => text.destroy(error));
      return file.pipe(text);
    }
    case "zstd":
      return output(programs.zstd, ["--decompress", "--stdout", "--quiet"], dump.file);
    case "archive":
      return output(programs.pgRestore, ["--file=-"], dump.file);
    case "directory":
      // Without standard input: the program opens the folder's files itself.
      return output(programs.pgRestore, ["--file=-", dirname(dump.file.toString())]);
  }
}

/** The standard output of a program. */
async function* output(
  program: string,
  args: readonly string[],
  input?: Buffer,
): AsyncGenerator<Buffer> {
  const stdin = input === undefined ? "ignore" : openSync(input, "r");
  const child = spawn(program, args, { stdio: [stdin, "pipe", "pipe"] });
  if (typeof stdin === "number") closeSync(stdin);
  const stop = (): void => void child.kill("SIGKILL");
  process.prependListener("exit", stop);
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    said = (said + chunk).slice(-1000);
  });
  const closed = once(child, "close");
  // Awaited only after all of the output.
  closed.catch(() => undefined);
  try {
    for await (const chunk of child.stdout ?? []) yield chunk as Buffer;
    const [code] = (await closed) as [number | null];
    if (code !== 0) throw new Error(`${basename(program)}: ${said.trim() || `exit code ${code}`}`);
  } finally {
    stop();
    process.off("exit", stop);
  }
}

/** The first bytes of a file. */
export function headOf(file: Buffer, bytes: number): Buffer {
  const handle = openSync(file, "r");
  try {
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(handle, buffer, 0, bytes, 0));
  } finally {
    closeSync(handle);
  }
}
