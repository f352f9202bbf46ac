/** Who holds a credential, told from the state alone: by looking for it. */
import { HashMemory } from "../../../credentials/htpasswd.ts";
import { derivePassword, type PasswordOwner } from "../../../credentials/derive.ts";
import type { StateResource } from "./stacks.ts";

/**
 * The resources whose inputs have a credential of a host in them: its passwords at the hub and at a
 * rest-server, their hashes, and the secret of its key at a cloud. The key itself is not among them:
 * another is made beside it.
 *
 * @param target - The rest-server's name.
 * @param generation - Of the host.
 */
export function holdersOf(
  resources: readonly StateResource[],
  {
    seed,
    host,
    target,
    generation,
  }: {
    readonly seed: string;
    readonly host: string;
    readonly target: string;
    readonly generation: number;
  },
): Set<string> {
  const owners: PasswordOwner[] = [
    { at: "hub", host },
    { at: "target", target, host },
  ];
  const hashes = new HashMemory();
  const passwords = owners.flatMap((owner) => [
    derivePassword(seed, owner, generation),
    hashes.hash(seed, { owner, generation }),
  ]);
  const keys = resources
    .filter(({ urn, type }) => isKey(type) && urn.includes(`-restore-${host}-`))
    .map(({ outputs }) => (outputs as { applicationKey: { plaintext: string } }).applicationKey)
    .map(({ plaintext }) => JSON.parse(plaintext) as string);
  const secrets = [...passwords, ...keys];
  const holders = resources.filter(({ type, inputs }) => {
    if (isKey(type)) return false;
    const text = withDecoded(JSON.stringify(inputs));
    return secrets.some((secret) => text.includes(secret));
  });
  return new Set(holders.map(({ urn }) => urn));
}

/** A text, and what parts of it are in base64. */
function withDecoded(text: string): string {
  const parts = text.match(/[\w+/]{64,}={0,2}/g) ?? [];
  return [text, ...parts.map((part) => Buffer.from(part, "base64").toString("latin1"))].join("\n");
}

/** Whether it is a key at a cloud. */
export function isKey(type: string): boolean {
  return type === "b2:index/applicationKey:ApplicationKey";
}
