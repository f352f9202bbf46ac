/** The secrets of a stack: made, asked for, or read from where the operator keeps them. */
import { randomBytes } from "node:crypto";
import { sshPrivateKey } from "../../config/rules.ts";
import { UsageError } from "../../hub/errors.ts";
import { b2Credentials, lookAtB2 } from "../doctor/b2-key.ts";
import { readInput } from "./answers.ts";
import { at, textAt, type Draft } from "./draft.ts";
import { askOne, askSecret, askText, askYes, say } from "./prompts.ts";
import { namesIn } from "./proposals.ts";
import { makeSshKey, publicHalf } from "./ssh-key.ts";

/** What `pulumi config set --secret` is given, by key. */
export type Secrets = Record<string, string>;

/** The seed of all derived credentials: 32 random bytes in hex. Nobody ever needs to see it. */
export function newSeed(): string {
  return randomBytes(32).toString("hex");
}

/** What the operator wants to reach the peers with: a new key, the agent, or a file. */
export type PeerKeyChoice = "make" | "agent" | (string & {});

/** The names of the targets of some kinds. */
export function targetsOf(draft: Draft, ...types: readonly string[]): string[] {
  return namesIn(draft, "targets").filter((name) =>
    types.some((type) => at(draft, ["targets", name, "type"]) === type),
  );
}

/** Asks with which key the peers are reached. */
export async function askPeerKey(): Promise<PeerKeyChoice> {
  say("\nThe SSH key with which this program reaches the peer.");
  const choice = await askOne(
    "Which key?",
    [
      {
        value: "make",
        name: "make a new one for this alone; it is kept encrypted in the settings",
      },
      { value: "file", name: "one that I have in a file, without a passphrase" },
      { value: "agent", name: "what my SSH agent has, at every pulumi up" },
    ],
    "make",
  );
  if (choice !== "file") return choice;
  return await askText({
    message: "File of the private key:",
    check: (file) => {
      try {
        return problemWithKey(readInput("the key", file));
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    },
  });
}

function problemWithKey(text: string): string | undefined {
  return sshPrivateKey.safeParse(text).success
    ? undefined
    : "must hold a private key in PEM or OpenSSH format that needs no passphrase";
}

/** A peer's key as the choice says. */
export interface PeerKey {
  /** Undefined where the agent is asked. Secret. */
  readonly privateKey?: string;
  /** The line for authorized_keys, where it is known. */
  readonly publicKey?: string;
}

/**
 * Makes or reads the key.
 *
 * @throws UsageError where the file is none.
 */
export async function peerKeyOf(choice: PeerKeyChoice, stack: string): Promise<PeerKey> {
  if (choice === "agent") return {};
  if (choice === "make") return await makeSshKey(`fort-offsite-${stack}`);
  const privateKey = readInput("--peer-key", choice);
  const problem = problemWithKey(privateKey);
  if (problem !== undefined) throw new UsageError(`--peer-key: ${choice} ${problem}`);
  const publicKey = publicHalf(privateKey);
  return { privateKey, ...(publicKey !== undefined && { publicKey }) };
}

/** A key of Backblaze's: its id and itself. Secret. */
export interface B2Key {
  readonly id: string;
  readonly key: string;
}

/** The key that the environment has for the provider. */
export function b2KeyOfEnvironment(): B2Key | undefined {
  const { B2_APPLICATION_KEY_ID: id = "", B2_APPLICATION_KEY: key = "" } = process.env;
  return id === "" || key === "" ? undefined : { id, key };
}

/**
 * Reads a key from a file: the id on the first line, the key on the second.
 *
 * @param file - `-` is standard input.
 */
export function readB2Key(file: string): B2Key {
  const [id = "", key = "", ...rest] = readInput("--b2-key-file", file).trim().split(/\s+/);
  if (id === "" || key === "" || rest.length > 0) {
    throw new UsageError(
      `--b2-key-file: ${file} must hold two lines, the application key's id and the key itself`,
    );
  }
  return { id, key };
}

/** Asks for the key, and tries it; undefined where it shall come from the environment later. */
export async function askB2Key(
  draft: Draft,
  endpoint: string | undefined,
): Promise<B2Key | undefined> {
  say(
    "\nThe application key of your Backblaze account with which pulumi up makes the bucket and its\n" +
      "keys (sdks/b2/README.md says what it must be allowed). It is kept encrypted in the settings.",
  );
  for (;;) {
    const id = await askText({
      message:
        "Its key ID (empty: it comes from B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY later):",
      check: (text) => (/\s/.test(text) ? "must have no spaces" : undefined),
    });
    if (id === "") return undefined;
    const key = await askSecret("The application key itself:", (text) =>
      /^\S+$/.test(text.trim()) ? undefined : "must be the key, without spaces",
    );
    const given = { id, key: key.trim() };
    const look = await tryB2Key(given, draft, endpoint);
    for (const problem of look.problems) say(`  ${problem}`);
    if (look.problems.length === 0) say("  Backblaze takes it, and it may do what is needed.");
    else if (!look.answered) say("  So it could not be tried; `offsite doctor` tries it again.");
    else if (!(await askYes("Keep it all the same?", false))) continue;
    return given;
  }
}

/** Logs in with a key, and holds the account against the settings. */
export async function tryB2Key(
  { id, key }: B2Key,
  draft: Draft,
  endpoint: string | undefined,
): Promise<{ answered: boolean; problems: string[] }> {
  say("Asking Backblaze ...");
  const look = await lookAtB2(b2Credentials({ id, key }, endpoint));
  return {
    answered: look.answered,
    problems: [...look.problems, ...regionProblems(draft, look.region)],
  };
}

/** Where the settings name another region than the account's. */
export function regionProblems(draft: Draft, region: string | undefined): string[] {
  return targetsOf(draft, "b2").flatMap((name) => {
    const wanted = textAt(draft, ["targets", name, "region"]);
    if (region === undefined || wanted === "" || wanted === region) return [];
    return [
      `targets.${name}.region: got "${wanted}", but the account keeps its buckets in "${region}". Correct it, or use an account of that region`,
    ];
  });
}
