/** This machine as the makers of programs name it, and where our cache is. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, constants, open, stat } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import envPaths from "env-paths";

/** An operating system and a processor in Go's names, which all of the makers understand. */
export interface Platform {
  os: "linux" | "darwin";
  arch: "amd64" | "arm64";
}

/**
 * @returns This machine's platform, or undefined where no maker's release is meant for it.
 */
export function currentPlatform(): Platform | undefined {
  const arch = { x64: "amd64", arm64: "arm64" } as const;
  if (process.platform !== "linux" && process.platform !== "darwin") return undefined;
  if (process.arch !== "x64" && process.arch !== "arm64") return undefined;
  return { os: process.platform, arch: arch[process.arch] };
}

/**
 * Where programs and what is made of them are kept between runs: FORT_OFFSITE_CACHE, or the
 * user's cache directory.
 */
export function cacheDirectory(): string {
  const given = process.env.FORT_OFFSITE_CACHE;
  if (given !== undefined && given !== "") return path.resolve(given);
  return envPaths("fort-offsite", { suffix: "" }).cache;
}

/** True for a file that this user may execute. */
export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}

/** The SHA-256 of a file, in lower-case hex. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}

/**
 * True when a Linux program needs a dynamic linker: its ELF program headers name an interpreter
 * (PT_INTERP, ELF specification, "Program Header"). Other formats than ELF count as dynamic.
 */
export async function needsDynamicLinker(file: string): Promise<boolean> {
  const PT_INTERP = 3;
  const handle = await open(file);
  try {
    const header = Buffer.alloc(64);
    const { bytesRead } = await handle.read(header, 0, 64, 0);
    const is64BitLittleEndian =
      header.readUInt32BE(0) === 0x7f454c46 && header.readUInt16BE(4) === 0x0201;
    if (bytesRead < 64 || !is64BitLittleEndian) return true;
    const offset = Number(header.readBigUInt64LE(32));
    const size = header.readUInt16LE(54);
    const table = Buffer.alloc(size * header.readUInt16LE(56));
    await handle.read(table, 0, table.length, offset);
    for (let at = 0; at + 4 <= table.length; at += size) {
      if (table.readUInt32LE(at) === PT_INTERP) return true;
    }
    return false;
  } finally {
    await handle.close();
  }
}
