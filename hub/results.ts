/**
 * What the commands remember of their last runs, for `status` and `metrics`: one small file for each
 * command, place and host below the state folder, replaced in one step.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { z } from "zod";
import { messageOf } from "./errors.ts";
import { writeStateFile } from "./state-file.ts";

const time = z.iso.datetime();

const credentialAge = z.enum(["current", "next", "previous"]);

const acceptance = {
  /** That credential's generation, where it is known. */
  generation: z.int().nullish(),
  /** When the target last accepted it. */
  accepted: time.nullish(),
};

/** What a cloud said of one of the hub's keys. */
const keySchema = z.object({
  /** What it is for: `current` and `next` for the mirror, `restore`, `monitor`. */
  role: z.enum(["current", "next", "restore", "monitor"]),
  generation: z.int(),
  accepted: z.boolean(),
  /** When it ends by itself; null where it does not, or where that is not known. */
  expires: time.nullable(),
});

/** The certificate that a server showed. */
const certificateSchema = z.object({ start: time, end: time });

/** From when to when a server's certificate is valid. */
export type CertificateFacts = z.infer<typeof certificateSchema>;

/** One of the hub's keys at a cloud target. */
export type KeyFacts = z.infer<typeof keySchema>;

const factsSchemas = {
  mirror: z.object({
    /** Files sent, and their sizes together. */
    files: z.number(),
    bytes: z.number(),
    /** Files of the hub that the target does not have, and their sizes together. */
    waitingFiles: z.number(),
    waitingBytes: z.number(),
    snapshots: z.number(),
    /** Files hidden at the target because the hub had removed them. */
    hidden: z.number(),
    /** What the target holds of the host, in bytes. */
    heldBytes: z.number().nullish(),
    credential: credentialAge.nullable(),
    ...acceptance,
  }),
  verify: z.object({
    files: z.number(),
    bytes: z.number(),
    missing: z.number(),
    damaged: z.number(),
    strangers: z.number(),
    /** Files read back, and their sizes together. */
    readFiles: z.number(),
    readBytes: z.number(),
    /** Files newer than the last complete mirror that the target does not have yet. */
    waiting: z.number().optional(),
    /** The target was proven to hold all that the hub had held then; null where it was not. */
    freshAsOf: time.nullish(),
    /** The credential that the target accepted, where it accepted one. */
    credential: credentialAge.nullish(),
    ...acceptance,
    /** For a cloud target as a whole: the hub's keys there. */
    keys: z.array(keySchema).optional(),
    /** For a target with TLS as a whole: the certificate that it showed. */
    certificate: certificateSchema.optional(),
  }),
  prune: z.object({ kept: z.number(), removed: z.number(), suspicious: z.number() }),
  drill: z.object({
    snapshot: z.string().nullable(),
    snapshotTime: time.nullable(),
    files: z.number(),
    bytes: z.number(),
    checks: z.number(),
  }),
  control: z.object({ breakages: z.number() }),
  thief: z.object({ files: z.number() }),
};

/** What a command that keeps results is called; `control` and `thief` are kinds of drill. */
export type ResultKind = keyof typeof factsSchemas;

/** Kind by kind what is remembered beside the outcome. */
export type Facts<Kind extends ResultKind> = z.infer<(typeof factsSchemas)[Kind]>;

const runSchema = <Kind extends ResultKind>(kind: Kind) =>
  z.object({
    /** When it began, ISO 8601 in UTC. */
    started: time,
    seconds: z.number(),
    outcome: z.enum(["ok", "failed"]),
    errors: z.array(z.string()),
    facts: factsSchemas[kind],
  });

/** One run of a command on one host at one place. */
export interface Run<Kind extends ResultKind> {
  readonly started: string;
  readonly seconds: number;
  readonly outcome: "ok" | "failed";
  readonly errors: readonly string[];
  readonly facts: Facts<Kind>;
}

/** The last run, and the last one that succeeded. */
export interface Result<Kind extends ResultKind> {
  readonly kind: Kind;
  /** The target's name; `hub` for what concerns the hub alone. */
  readonly place: string;
  /** The host's name; `*` for what concerns all. */
  readonly host: string;
  readonly last: Run<Kind>;
  readonly lastSuccess: Run<Kind> | null;
}

/** The place of a result that concerns the hub alone. No target may be called so. */
export const AT_HUB = "hub";

/**
 * Remembers a run.
 *
 * @throws Error where it cannot be written.
 */
export function recordResult<Kind extends ResultKind>(
  state: string,
  kind: Kind,
  place: string,
  host: string,
  run: Run<Kind>,
): void {
  const path = join(state, "results", kind, place, `${host}.json`);
  const before = readResult(path, kind);
  const lastSuccess = run.outcome === "ok" ? run : (before?.lastSuccess ?? null);
  try {
    writeStateFile(path, { version: 1, last: run, lastSuccess });
  } catch (error) {
    throw new Error(`cannot write "${path}"`, { cause: error });
  }
}

/** All remembered results of a kind; what cannot be read is left out. */
export function readResults<Kind extends ResultKind>(state: string, kind: Kind): Result<Kind>[] {
  const folder = join(state, "results", kind);
  return filesBelow(folder).flatMap((path) => {
    const [place = "", file = ""] = relative(folder, path).split(sep);
    const content = readResult(path, kind);
    return content === undefined
      ? []
      : [{ kind, place, host: file.slice(0, -".json".length), ...content }];
  });
}

/**
 * Names results that are there and cannot be read: without them a command looks as if it had never
 * run.
 *
 * @returns one line each: the path and why.
 */
export function unreadableResults(state: string): string[] {
  const folder = join(state, "results");
  let kinds: string[];
  try {
    kinds = readdirSync(folder);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? [] : [messageOf(error)];
  }
  const known = Object.keys(factsSchemas) as ResultKind[];
  return known.filter((kind) => kinds.includes(kind)).flatMap((kind) => unreadableOf(folder, kind));
}

function unreadableOf(folder: string, kind: ResultKind): string[] {
  try {
    // Tells, as filesBelow does not, whether a folder is closed to this process.
    readdirSync(join(folder, kind), { recursive: true });
  } catch (error) {
    return [messageOf(error)];
  }
  return filesBelow(join(folder, kind))
    .filter((path) => readResult(path, kind) === undefined)
    .map((path) => `"${path}": ${unreadable(path)}`);
}

function unreadable(path: string): string {
  try {
    readFileSync(path);
    return "it is not what this version of offsite-hub writes";
  } catch (error) {
    return messageOf(error);
  }
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".json"))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function readResult<Kind extends ResultKind>(
  path: string,
  kind: Kind,
): { last: Run<Kind>; lastSuccess: Run<Kind> | null } | undefined {
  const run = runSchema(kind);
  const schema = z.object({ version: z.literal(1), last: run, lastSuccess: run.nullable() });
  try {
    const content = schema.parse(JSON.parse(readFileSync(path, "utf8")));
    return content as unknown as { last: Run<Kind>; lastSuccess: Run<Kind> | null };
  } catch {
    return undefined;
  }
}
