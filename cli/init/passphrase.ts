/** The passphrase that encrypts a stack's secrets. */
import { createDecipheriv, pbkdf2 } from "node:crypto";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { messageOf, UsageError } from "../../hub/errors.ts";

const ROUNDS = 1_000_000;
const TAG_BYTES = 16;

/**
 * Whether a passphrase is the one of a stack's file: the salt there holds a word that it opens
 * (pulumi/pkg v3.246.0, secrets/passphrase/manager.go, and sdk/go/common/resource/config/crypt.go).
 *
 * @param salt - `encryptionsalt`.
 * @returns undefined where the salt is of a kind that is not known here.
 */
export async function opensWith(salt: string, passphrase: string): Promise<boolean | undefined> {
  const match = /^v1:([^:]+):v1:([^:]+):([^:]+)$/.exec(salt);
  if (match === null) return undefined;
  const [seasoning, nonce, sealed] = match.slice(1).map((part) => Buffer.from(part, "base64")) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  const key = await promisify(pbkdf2)(passphrase, seasoning, ROUNDS, 32, "sha256");
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, nonce);
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    const word = Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
    return word.toString("utf8") === "pulumi";
  } catch {
    return false;
  }
}

/**
 * The passphrase that the environment gives Pulumi; undefined where it gives none.
 *
 * @throws UsageError where the file that it names cannot be read.
 */
export function passphraseOfEnvironment(): string | undefined {
  const { PULUMI_CONFIG_PASSPHRASE: given, PULUMI_CONFIG_PASSPHRASE_FILE: file } = process.env;
  if (given !== undefined) return given;
  if (file === undefined || file === "") return undefined;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new UsageError(`PULUMI_CONFIG_PASSPHRASE_FILE: ${messageOf(error)}`);
  }
}
