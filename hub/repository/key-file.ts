/**
 * Files in `keys` that are none. restic tries key after key, and where it cannot read one at all it
 * opens the repository no more (its internal/repository/key.go): whoever may append can lock
 * everybody out so, until the file is removed or `--key-hint` names a good one.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";

const MOST_BYTES = 64 * 1024;
const SALT_BYTES = 64;
/** An initialisation vector and a MAC, both of 16 bytes, and something between them. */
const LEAST_DATA_BYTES = 33;

const bytesOf = (text: string): number => Buffer.from(text, "base64").length;

// Every key that a restic wrote passes: what it demands of one, and bounds on what it costs to try.
const keySchema = z
  .looseObject({
    created: z.iso.datetime({ offset: true }).optional(),
    username: z.string().optional(),
    hostname: z.string().optional(),
    kdf: z.literal("scrypt"),
    N: z
      .int()
      .min(2)
      .max(2 ** 22)
      .refine((n) => Number.isInteger(Math.log2(n))),
    r: z.int().min(1).max(64),
    p: z.int().min(1).max(1024),
    salt: z.base64().refine((salt) => bytesOf(salt) === SALT_BYTES),
    data: z.base64().refine((data) => bytesOf(data) >= LEAST_DATA_BYTES),
  })
  // To restic, letters of either case name the same property.
  .refine((key) => {
    const names = Object.keys(key).map((name) => name.toLowerCase());
    return new Set(names).size === names.length;
  });

/**
 * Whether a file of `keys` is what its name says and still nothing that restic can read. Of one that
 * is gone, rotten or closed it says no: that is for others to tell.
 */
export function isForeignKey(path: string, name: string): boolean {
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch {
    return false;
  }
  if (createHash("sha256").update(content).digest("hex") !== name) return false;
  if (content.length > MOST_BYTES) return true;
  try {
    return !keySchema.safeParse(JSON.parse(content.toString("utf8"))).success;
  } catch {
    return true;
  }
}

/** What is wrong with such a file, and the way out. */
export const FOREIGN_KEY =
  "no key that restic can read, so that it may not open the repository at all: find out who wrote it, and remove it at the hub";
