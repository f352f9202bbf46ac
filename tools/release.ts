/** Gets a program from its maker's release and compares it with the checksum published there. */
import { createHash } from "node:crypto";
import { chmod, writeFile } from "node:fs/promises";
import path from "node:path";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { unzipSync } from "fflate";
import { Parser } from "tar";
import unbzip2 from "unbzip2-stream";
import { EnvHttpProxyAgent, fetch } from "undici";
import type { Platform } from "./platform.ts";
import type { Release } from "./spec.ts";

/** A release could not be had. */
export class ReleaseError extends Error {
  override name = "ReleaseError";
}

/** What was downloaded is not what the maker published. */
export class ChecksumError extends ReleaseError {
  override name = "ChecksumError";
}

/** Milliseconds for the name, the connection and TLS: a closed network must be noticed soon. */
const CONNECT_TIMEOUT = 2_500;
/** Milliseconds without a byte. */
const IDLE_TIMEOUT = 20_000;
/** Attempts for what may pass: a reset connection, a 5xx, a 429. */
const ATTEMPTS = 3;

/** Downloads over HTTP(S). Remembers hosts that cannot be reached, so that they cost time once. */
export class Downloader {
  readonly #agent = new EnvHttpProxyAgent({
    connect: { timeout: CONNECT_TIMEOUT },
    headersTimeout: IDLE_TIMEOUT,
    bodyTimeout: IDLE_TIMEOUT,
  });
  readonly #unreachable = new Map<string, string>();

  /**
   * @returns The whole body of the answer.
   * @throws ReleaseError when the host cannot be reached or refuses.
   */
  async get(url: string, signal?: AbortSignal): Promise<Buffer> {
    const { host } = new URL(url);
    for (let attempt = 1; ; attempt += 1) {
      const known = this.#unreachable.get(host);
      if (known !== undefined) throw new ReleaseError(known);
      const last = attempt === ATTEMPTS;
      try {
        const response = await fetch(url, {
          dispatcher: this.#agent,
          ...(signal === undefined ? {} : { signal }),
        });
        if (response.ok) return Buffer.from(await response.arrayBuffer());
        await response.body?.cancel();
        if (last || !(response.status === 429 || response.status >= 500)) {
          throw new ReleaseError(`${url} answers ${response.status}`);
        }
      } catch (error) {
        signal?.throwIfAborted();
        if (error instanceof ReleaseError) throw error;
        const reason = reasonOf(error);
        if (NO_ROUTE.has(reason.code) || /CERT|SELF_SIGNED|^ERR_TLS/.test(reason.code)) {
          const message = `${host} cannot be reached (${reason.text})`;
          this.#unreachable.set(host, message);
          throw new ReleaseError(message);
        }
        if (last) throw new ReleaseError(`${url}: ${reason.text}`);
      }
      await sleep(250 * 2 ** attempt, undefined, signal === undefined ? {} : { signal });
    }
  }
}

/** With a wrong certificate, the errors after which another attempt would only cost a second. */
const NO_ROUTE = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/**
 * Downloads a release's file for a platform, verifies it and puts its programs into a folder.
 *
 * @param name - The name of the program when the file is not an archive of several.
 * @returns The address that it came from.
 * @throws ReleaseError when it cannot be had; ChecksumError when it is not what was published.
 */
export async function installRelease(
  name: string,
  release: Release,
  folder: string,
  options: {
    downloader: Downloader;
    platform: Platform | undefined;
    signal?: AbortSignal | undefined;
  },
): Promise<string> {
  const { downloader, platform, signal } = options;
  const asset = platform === undefined ? undefined : release.asset(platform);
  if (platform === undefined || asset === undefined) {
    throw new ReleaseError(`the maker has no release for ${process.platform} ${process.arch}`);
  }
  const url = release.base + asset;
  const { checksums: named } = release;
  const sums = release.base + (typeof named === "string" ? named : named(asset));
  const checksums = await downloader.get(sums, signal);
  const wanted = checksumOf(checksums.toString("utf8"), asset);
  if (wanted === undefined) {
    throw new ReleaseError(`${sums} has no checksum of ${asset}`);
  }
  const body = await downloader.get(url, signal);
  const algorithm = wanted.length === 64 ? "SHA-256" : "SHA-512";
  const got = createHash(algorithm.replace("-", "")).update(body).digest("hex");
  if (got !== wanted) {
    throw new ChecksumError(
      `${url} has ${algorithm} ${got}, published is ${wanted}: it is not used. ` +
        "A proxy that changes files, or something worse, stands between this machine and the maker.",
    );
  }
  const programs = await unpack(body, name, release, platform);
  for (const [program, contents] of programs) {
    const file = path.join(folder, program);
    await writeFile(file, contents);
    await chmod(file, 0o755);
  }
  return url;
}

/**
 * Finds a file's checksum in the output of `sha256sum` or `sha512sum`, which may be wrapped in a
 * PGP signature, or which is the bare checksum.
 *
 * @returns The SHA-256 or SHA-512 in lower-case hex, or undefined.
 */
export function checksumOf(checksums: string, asset: string): string | undefined {
  const bare = /^(?:[0-9a-f]{64}){1,2}$/i.exec(checksums.trim());
  if (bare !== null) return bare[0].toLowerCase();
  for (const line of checksums.split(/\r?\n/)) {
    const match = /^((?:[0-9a-f]{64}){1,2}) [ *](?:\.\/)?(.+)$/i.exec(line);
    if (match?.[2] === asset) return match[1]?.toLowerCase();
  }
  return undefined;
}

async function unpack(
  body: Buffer,
  name: string,
  release: Release,
  platform: Platform,
): Promise<Map<string, Buffer>> {
  if (release.format === "binary") return new Map([[name, body]]);
  if (release.format === "bz2") return new Map([[name, await decompressBzip2(body)]]);
  const members = release.members?.(platform) ?? {};
  const wanted = new Set(Object.values(members));
  const contents = release.format === "zip" ? readZip(body, wanted) : await readTar(body, wanted);
  return new Map(
    Object.entries(members).map(([program, member]) => {
      const content = contents.get(member);
      if (content === undefined) {
        throw new ReleaseError(`${release.base}: the archive has no ${member}`);
      }
      return [program, content];
    }),
  );
}

async function decompressBzip2(body: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const collect = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  await pipeline(
    Readable.from(inPieces(body)),
    unbzip2() as unknown as NodeJS.ReadWriteStream,
    collect,
  );
  return Buffer.concat(chunks);
}

/** So that decompressing, which takes seconds, does not keep locks and timers waiting. */
async function* inPieces(body: Buffer): AsyncGenerator<Buffer> {
  const PIECE = 1 << 18;
  for (let at = 0; at < body.length; at += PIECE) {
    yield body.subarray(at, at + PIECE);
    await nextTurn();
  }
}

function readZip(body: Buffer, wanted: ReadonlySet<string>): Map<string, Buffer> {
  const files = unzipSync(body, { filter: (file) => wanted.has(file.name) });
  return new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(content)]));
}

async function readTar(body: Buffer, wanted: ReadonlySet<string>): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  await new Promise<void>((resolve, reject) => {
    const parser = new Parser({
      strict: true,
      onReadEntry: (entry) => {
        if (!wanted.has(entry.path.replace(/^\.\//, "")) || entry.type !== "File") {
          entry.resume();
          return;
        }
        const chunks: Buffer[] = [];
        entry.on("data", (chunk: Buffer) => chunks.push(chunk));
        entry.on("end", () => files.set(entry.path.replace(/^\.\//, ""), Buffer.concat(chunks)));
      },
    });
    parser.on("end", resolve);
    parser.on("error", reject);
    parser.end(body);
  });
  return files;
}

function reasonOf(error: unknown): { code: string; text: string } {
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  if (cause instanceof AggregateError && cause.errors.length > 0) cause = cause.errors[0];
  if (!(cause instanceof Error)) return { code: "", text: String(cause) };
  return { code: (cause as NodeJS.ErrnoException).code ?? "", text: cause.message };
}
