/** The key with which the operator reaches the peers. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { UsageError } from "../../hub/errors.ts";
import { interruption } from "../interruption.ts";
import { withScratch } from "../scratch.ts";

/** Both halves. The private one is secret. */
export interface KeyPair {
  readonly privateKey: string;
  /** The line for authorized_keys. */
  readonly publicKey: string;
}

/**
 * Makes an SSH key without a passphrase. The files that ssh-keygen needs for it are in a private
 * folder and gone at the end; a key whose file a kill left behind is in nobody's authorized_keys.
 *
 * @param comment - what the peer's owner sees at the end of the line.
 */
export async function makeSshKey(comment: string): Promise<KeyPair> {
  return await withScratch(async (folder) => {
    const file = join(folder, "key");
    const made = await execa(
      "ssh-keygen",
      ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file],
      {
        stdin: "ignore",
        cancelSignal: interruption,
        reject: false,
      },
    );
    interruption.throwIfAborted();
    if (made.failed) {
      throw new UsageError(
        `no SSH key could be made: ${made.stderr || "ssh-keygen is not on PATH"}`,
      );
    }
    const [privateKey, publicKey] = await Promise.all(
      [file, `${file}.pub`].map((name) => readFile(name, "utf8")),
    );
    return { privateKey: privateKey ?? "", publicKey: (publicKey ?? "").trim() };
  });
}

/**
 * The public half of a private key in OpenSSH's own format, which has it in clear text at its front
 * (PROTOCOL.key in OpenSSH); undefined for other formats.
 */
export function publicHalf(privateKey: string): string | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+)-----END/.exec(privateKey)?.[1];
  const bytes = Buffer.from(body ?? "", "base64");
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  let offset = MAGIC.length;
  const next = () => {
    const start = offset + 4;
    offset = start + bytes.readUInt32BE(offset);
    return bytes.subarray(start, offset);
  };
  try {
    // The cipher, the function that makes its key, that function's options; how many keys follow.
    for (let skipped = 0; skipped < 3; skipped++) next();
    offset += 4;
    const blob = next();
    const type = blob.toString("latin1", 4, 4 + blob.readUInt32BE(0));
    return `${type} ${blob.toString("base64")}`;
  } catch {
    return undefined;
  }
}

const MAGIC = Buffer.from("openssh-key-v1\0", "latin1");
