import { readFileSync } from "node:fs";
import type { z } from "zod";
import {
  hubCredentialsSchema,
  manifestSchema,
  type HubCredentials,
  type Manifest,
} from "../config/manifest.ts";
import { messageOf, UsageError } from "./errors.ts";
import { settingsSchema, type Settings } from "./settings.ts";

/**
 * Reads `offsite.json`.
 *
 * @throws UsageError where it cannot be read, with all that is wrong in it.
 */
export function readManifest(path: string): Manifest {
  return read(path, manifestSchema);
}

/**
 * Reads `hub-credentials.json`. Its values never appear in what is thrown.
 *
 * @throws UsageError where it cannot be read, with all that is wrong in it.
 */
export function readCredentials(path: string): HubCredentials {
  return read(path, hubCredentialsSchema);
}

/**
 * Reads the hub's settings; the defaults where no file is given.
 *
 * @throws UsageError where it cannot be read, with all that is wrong in it.
 */
export function readSettings(path: string | undefined): Settings {
  return path === undefined ? settingsSchema.parse({}) : read(path, settingsSchema);
}

function read<Schema extends z.ZodType>(path: string, schema: Schema): z.output<Schema> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read "${path}": ${messageOf(error)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be secret.
    throw new UsageError(`"${path}" is not JSON. Is it still sealed?`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `${issue.path.join(".") || "(whole file)"}: ${issue.message}`,
  );
  throw new UsageError(
    `"${path}" is not what this version of offsite-hub reads: ${problems.join("; ")}`,
  );
}

/**
 * Picks the wanted names, all where none is wanted.
 *
 * @throws UsageError where one is not among them.
 */
export function pick(what: string, wanted: readonly string[], all: readonly string[]): string[] {
  const unknown = wanted.filter((name) => !all.includes(name));
  if (unknown.length > 0) {
    const names = unknown.map((name) => `"${name}"`).join(", ");
    throw new UsageError(`no such ${what}: ${names}. The manifest has: ${all.join(", ")}`);
  }
  return wanted.length === 0 ? [...all] : all.filter((name) => wanted.includes(name));
}
