/** The secrets that a stack still lacks, and the passphrase that encrypts them. */
import type { Problem } from "../../config/problems.ts";
import { UsageError } from "../../hub/errors.ts";
import type { Draft } from "./draft.ts";
import { opensWith, passphraseOfEnvironment } from "./passphrase.ts";
import { askSecret, say } from "./prompts.ts";
import {
  askB2Key,
  askPeerKey,
  b2KeyOfEnvironment,
  newSeed,
  peerKeyOf,
  readB2Key,
  targetsOf,
  tryB2Key,
  type B2Key,
  type Secrets,
} from "./secrets.ts";
import type { SettingsFile } from "./settings-file.ts";
import { needsPassphrase, type Backend } from "./where.ts";

/** What is found wrong on the way, and what the operator is told in the end. */
export interface Gaps {
  readonly problems: Problem[];
  readonly notes: string[];
}

/** What the secrets come from. */
export interface SecretsGiven {
  readonly settings: Draft;
  readonly before: SettingsFile;
  readonly stack: string;
  readonly isTerminal: boolean;
  readonly peerKey: string | undefined;
  readonly b2KeyFile: string | undefined;
  readonly gaps: Gaps;
}

/** Comes to the secrets that are to be set. What the file has encrypted is never replaced. */
export async function gatherSecrets(
  given: SecretsGiven,
): Promise<{ secrets: Secrets; publicKey: string | undefined }> {
  const has = (key: string) => given.before.secrets.has(key);
  const secrets: Secrets = {};
  if (!has("fort-offsite:credentialSeed")) secrets["fort-offsite:credentialSeed"] = newSeed();
  const peer = has("fort-offsite:sshPrivateKey") ? {} : await gatherPeerKey(given);
  if (peer.privateKey !== undefined) secrets["fort-offsite:sshPrivateKey"] = peer.privateKey;
  if (!has("b2:applicationKeyId") || !has("b2:applicationKey")) {
    const key = await gatherB2Key(given);
    if (key !== undefined) {
      secrets["b2:applicationKeyId"] = key.id;
      secrets["b2:applicationKey"] = key.key;
    }
  }
  return { secrets, publicKey: peer.publicKey };
}

async function gatherPeerKey(given: SecretsGiven) {
  const { settings, before, isTerminal, gaps, stack } = given;
  const isReady = targetsOf(settings, "rest-server", "sftp").length === 0;
  if (isReady) return {};
  let choice = given.peerKey;
  if (choice === undefined && isTerminal) {
    // Settings that were complete without a key are those of somebody who uses the agent.
    const usesAgent = before.isFilledIn && before.secrets.has("fort-offsite:credentialSeed");
    choice = usesAgent ? "agent" : await askPeerKey();
  }
  if (choice === undefined && before.secrets.has("fort-offsite:credentialSeed")) choice = "agent";
  if (choice === undefined) {
    gaps.problems.push({
      path: ["peerKey"],
      message:
        "got nothing, must say how the peer is reached. Give it with --peer-key make (a new SSH key), --peer-key <file> (one of yours without a passphrase) or --peer-key agent",
    });
    return {};
  }
  if (choice === "agent") {
    gaps.notes.push("The SSH agent must have a key that the peer accepts, at every pulumi up.");
  }
  return await peerKeyOf(choice, stack);
}

async function gatherB2Key(given: SecretsGiven): Promise<B2Key | undefined> {
  const { settings, isTerminal, b2KeyFile, gaps } = given;
  if (targetsOf(settings, "b2").length === 0) return undefined;
  const endpoint = process.env.B2_ENDPOINT;
  const inEnvironment = b2KeyOfEnvironment();
  if (b2KeyFile === undefined && inEnvironment === undefined) {
    const asked = isTerminal ? await askB2Key(settings, endpoint) : undefined;
    if (asked === undefined) gaps.notes.push(NO_B2_KEY);
    return asked;
  }
  const key = b2KeyFile === undefined ? inEnvironment : readB2Key(b2KeyFile);
  if (key === undefined) return undefined;
  const look = await tryB2Key(key, settings, endpoint);
  const [place, from] =
    b2KeyFile === undefined
      ? [["B2_APPLICATION_KEY"], "the environment's key"]
      : [["b2KeyFile"], b2KeyFile];
  if (look.answered) {
    gaps.problems.push(
      ...look.problems.map((problem) => ({ path: place, message: `got ${from}: ${problem}` })),
    );
  } else {
    gaps.notes.push(
      `Backblaze could not be asked (${look.problems.join("; ")}): offsite doctor does it again.`,
    );
  }
  if (b2KeyFile !== undefined) return key;
  gaps.notes.push(
    "The key of Backblaze is in the environment and nowhere else: set it for every pulumi up.",
  );
  return undefined;
}

const NO_B2_KEY =
  "Before pulumi up, give it the key of Backblaze: in B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY, or with pulumi config set --secret b2:applicationKeyId and b2:applicationKey.";

/**
 * Comes to the passphrase: the environment's, or the operator's. One that the file already has a
 * salt for is tried.
 *
 * @returns undefined where Pulumi needs none from us.
 */
export async function gatherPassphrase(
  backend: Backend,
  before: SettingsFile,
  isTerminal: boolean,
  gaps: Gaps,
): Promise<string | undefined> {
  if (!needsPassphrase(backend, before.hasOtherProvider, before.salt)) return undefined;
  const { salt } = before;
  const isWrong = async (passphrase: string) =>
    salt !== undefined && (await opensWith(salt, passphrase)) === false;
  const given = passphraseOfEnvironment();
  if (given !== undefined) {
    if (await isWrong(given)) {
      throw new UsageError(
        "the passphrase in the environment (PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE) is not this stack's",
      );
    }
    return undefined;
  }
  if (!isTerminal) {
    gaps.problems.push({
      path: ["passphrase"],
      message:
        "got nothing, must be what encrypts the secrets. Give it in PULUMI_CONFIG_PASSPHRASE, or in a file with PULUMI_CONFIG_PASSPHRASE_FILE",
    });
    return undefined;
  }
  return salt === undefined ? await askNewPassphrase() : await askPassphrase(isWrong);
}

async function askPassphrase(isWrong: (passphrase: string) => Promise<boolean>): Promise<string> {
  for (;;) {
    const passphrase = await askSecret("The stack's passphrase:", () => undefined);
    if (!(await isWrong(passphrase))) return passphrase;
    say("  That is not this stack's passphrase.");
  }
}

const SHORTEST = 8;

async function askNewPassphrase(): Promise<string> {
  say(
    "\nThe passphrase encrypts every secret in the settings and in Pulumi's state. Who has it and them\n" +
      "has all credentials (and no backup: restic's passwords never come here). Keep it on paper too:\n" +
      "without it all credentials have to be made anew.",
  );
  for (;;) {
    const passphrase = await askSecret("A new passphrase:", (text) =>
      text.length >= SHORTEST
        ? undefined
        : `got ${text.length} characters, must be at least ${SHORTEST}`,
    );
    const again = await askSecret("The same again:", () => undefined);
    if (again === passphrase) return passphrase;
    say("  They differ.");
  }
}
