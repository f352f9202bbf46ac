/** The question for a machine's public key: typed, or looked up and compared. */
import { messageOf } from "../../hub/errors.ts";
import { interruption } from "../interruption.ts";
import type { Path } from "./draft.ts";
import {
  fingerprint,
  knownAs,
  lookUpHostKey,
  parseAddress,
  type Address,
  type FoundKey,
  type Kind,
} from "./host-key.ts";
import { askText, askYes, say } from "./prompts.ts";
import type { Interview } from "./interview.ts";

/** What looks like a key, right or wrong, rather than like an address. */
const KEY = /^(?:age1|AGE-|ssh-|ecdsa-|sk-|-----)|\s/;

/** Asks for the key of a machine that files are sealed to. */
export async function askPublicKey(
  interview: Interview,
  path: Path,
  machine: { readonly name: string; readonly address: string },
): Promise<void> {
  if (interview.isGiven(path)) return;
  const { name, address } = machine;
  for (;;) {
    const answer = await askText({
      message: `Public key of ${name}, or an address of it to ask there:`,
      default: interview.proposal(path, address),
      check: (text) => {
        if (KEY.test(text) || parseAddress(text) === undefined) return interview.check(path, text);
        return undefined;
      },
    });
    const at = KEY.test(answer) ? undefined : parseAddress(answer);
    const key = at === undefined ? answer : await lookUp(at, name, ["ed25519"]);
    if (key === undefined) continue;
    interview.set(path, key);
    return;
  }
}

/** Asks for the host key by which a peer is known; looks it up first. */
export async function askHostKey(interview: Interview, path: Path, at: Address): Promise<void> {
  if (interview.isGiven(path)) return;
  const before = interview.proposal(path);
  if (before === undefined && (await askYes(`Ask ${at.host} for its host key now?`, true))) {
    // Where a machine has several, Pulumi's SSH client asks for this one first.
    const key = await lookUp(at, at.host, ["ecdsa", "ed25519", "rsa"]);
    if (key !== undefined) {
      interview.set(path, key);
      return;
    }
  }
  await interview.ask(path, `Host key of ${at.host}, as in known_hosts without the host:`);
}

/** Looks a key up and has it compared; undefined where that came to nothing. */
async function lookUp(
  at: Address,
  name: string,
  kinds: readonly Kind[],
): Promise<string | undefined> {
  say(`Asking ${at.host} port ${at.port} ...`);
  let found: FoundKey | string;
  try {
    found = await lookUpHostKey(at, kinds);
  } catch (error) {
    interruption.throwIfAborted();
    found = messageOf(error);
  }
  if (typeof found === "string") {
    say(`${found}. Give another address, or the key itself.`);
    return undefined;
  }
  return (await isCompared(at, name, found)) ? found.key : undefined;
}

async function isCompared(at: Address, name: string, { key, file }: FoundKey): Promise<boolean> {
  const shown = fingerprint(key);
  say(
    `It shows this key:\n  ${key}\n  ${shown}\n` +
      `Whoever is at ${name} reads the fingerprint there with:\n  ssh-keygen -lf ${file}`,
  );
  const known = await knownAs(at, key);
  if (known === "same") say("Your own known_hosts has the same key for it.");
  if (known === "other") {
    say("CAUTION: your own known_hosts has ANOTHER key for it. Somebody may be in between.");
  }
  const answer = await askText({
    message: "Is it the same there? (yes, no, or the fingerprint from there)",
    check: (text) => {
      if (/^(?:y|yes|n|no)$/i.test(text) || text === shown) return undefined;
      return /^(?:SHA256:|MD5:)/i.test(text)
        ? `got ${text.slice(0, 60)}, which is another key than ${shown}: this is not ${name}, or not its file. Answer no, or compare again`
        : "must be yes, no, or the fingerprint, SHA256:…";
    },
  });
  return !/^n/i.test(answer);
}
