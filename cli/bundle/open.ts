/** Opens sealed files of a bundle with a private key, in memory alone. */
import { readFile } from "node:fs/promises";
import { execa, ExecaError } from "execa";
import type { SealConfig } from "../../config/stack.ts";
import { UsageError } from "../../hub/errors.ts";
import { excerpt } from "../../hub/format.ts";
import { interruption } from "../interruption.ts";

/** What became of a file that was to be opened. */
export type Opened = { readonly content: string } | { readonly reason: string };

/**
 * Opens a file with any of several private keys. Its content goes through a pipe and nowhere else.
 *
 * @param identities - files of private keys: age's, or SSH keys where the format is age.
 * @returns the content, or why there is none.
 * @throws UsageError where the program that opens it is missing.
 */
export async function openSealed(
  file: string,
  format: SealConfig["format"],
  identities: readonly string[],
): Promise<Opened> {
  try {
    await readFile(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { reason: code === "ENOENT" ? "is not there" : `cannot be read (${code ?? ""})` };
  }
  if (format === "plain") return { content: await readFile(file, "utf8") };
  if (identities.length === 0) return { reason: "is sealed, and no --identity was given" };
  let reason = "";
  for (const identity of identities) {
    const opened = await openWith(file, format, identity);
    if ("content" in opened) return opened;
    ({ reason } = opened);
  }
  return { reason };
}

async function openWith(file: string, format: "age" | "sops", identity: string): Promise<Opened> {
  if (format === "sops" && (await isSshKey(identity))) {
    return {
      reason: `cannot be opened with ${identity}: sops takes age keys. Make one of it with: ssh-to-age -private-key -i ${identity} -o <file>`,
    };
  }
  const [program, args, env] =
    format === "age"
      ? (["age", ["--decrypt", "--identity", identity, file], {}] as const)
      : ([
          "sops",
          ["--decrypt", "--input-type", "binary", "--output-type", "binary", file],
          { SOPS_AGE_KEY_FILE: identity },
        ] as const);
  try {
    // age asks for a key's passphrase on the terminal itself.
    const { stdout } = await execa(program, args, {
      env,
      stdin: "ignore",
      stripFinalNewline: false,
      cancelSignal: interruption,
    });
    return { content: stdout };
  } catch (error) {
    if (interruption.aborted) throw interruption.reason;
    if (!(error instanceof ExecaError)) throw error;
    if (error.code === "ENOENT") {
      throw new UsageError(`needs the program ${program}, which is not on PATH`);
    }
    return {
      reason: `cannot be opened with ${identity}: ${reasonOf((error.stderr as string | undefined) ?? "")}`,
    };
  }
}

async function isSshKey(identity: string): Promise<boolean> {
  return await readFile(identity, "latin1").then(
    (text) => text.startsWith("-----BEGIN "),
    () => false,
  );
}

/** What the program said, on one line. */
function reasonOf(stderr: string): string {
  const line = stderr
    .split("\n")
    .map((each) => each.trim())
    .find((each) => each !== "" && !each.startsWith("age: report"));
  return excerpt(line ?? "no reason was given").replace(/^age: error: /, "");
}
