/** What a change does to the settings: the file of the base against the file of the change. */
import { readFile } from "node:fs/promises";
import { parseDocument } from "yaml";
import { z } from "zod";
import { NAMESPACE } from "../../config/parse.ts";
import { messageOf, UsageError } from "../../hub/errors.ts";
import type { Preview } from "./preview.ts";
import { differences, SECRET, type Difference } from "./values.ts";

/** The settings of a stack's file by key, secrets as their ciphertext. */
export type Settings = Readonly<Record<string, unknown>>;

const fileSchema = z.object({
  encryptionsalt: z.string().optional(),
  config: z.record(z.string(), z.unknown()).nullish(),
});

/**
 * Reads a stack's file as it is.
 *
 * @throws UsageError where it cannot be read, or is none.
 */
export async function readSettings(file: string): Promise<Settings> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read the settings "${file}": ${messageOf(error)}`);
  }
  const document = parseDocument(text);
  const parsed = fileSchema.safeParse(document.errors.length > 0 ? undefined : document.toJS());
  if (!parsed.success) throw new UsageError(`"${file}" is no stack's settings`);
  return parsed.data.config ?? {};
}

/**
 * The settings that a preview is of. Its document masks secrets: where the stack's file is there too,
 * their ciphertext is taken from it, so that one that was set anew is seen.
 */
export function withSecrets({ config }: Pick<Preview, "config">, file: Settings = {}): Settings {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => {
      const own = Object.hasOwn(file, key) ? file[key] : undefined;
      return [key, value === SECRET && own !== undefined ? own : decoded(value)] as const;
    }),
  );
}

function decoded(value: string): unknown {
  if (!/^[[{]/.test(value)) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/** One of our own settings. */
export function setting(settings: Settings, name: string): unknown {
  return settings[`${NAMESPACE}:${name}`];
}

/** CI turns it off in its own copy of the file. */
const OF_CI = `${NAMESPACE}:lookForDrift`;

/** What differs, leaf by leaf. Of a secret it is only told that it was set anew. */
export function settingsDifferences(before: Settings, after: Settings): Difference[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys
    .filter((key) => key !== OF_CI)
    .flatMap((key) =>
      differences(before[key], after[key], key.replace(`${NAMESPACE}:`, "")).map(masked),
    );
}

function masked(difference: Difference): Difference {
  if (!/\.secure(?:\.|$)/.test(difference.path)) return difference;
  const side = (value: string | undefined) => (value === undefined ? undefined : SECRET);
  return {
    path: difference.path.replace(/\.secure$/, ""),
    before: side(difference.before),
    after: side(difference.after),
  };
}
