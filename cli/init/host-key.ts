/** Asking a machine for its public key, and the fingerprint by which people compare it. */
import { createHash } from "node:crypto";
import { execa } from "execa";
import ipaddr from "ipaddr.js";
import { machineAddress } from "../../config/rules.ts";
import { UsageError } from "../../hub/errors.ts";
import { interruption } from "../interruption.ts";

/** A key as in known_hosts, without the host. */
export interface FoundKey {
  readonly key: string;
  /** The file of the machine itself that holds the same. */
  readonly file: string;
}

/** Where a machine answers. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Kinds of keys by the names of ssh-keyscan, with their names in a key and in a file's name. */
const KINDS = {
  ed25519: { type: "ssh-ed25519", file: "ed25519" },
  ecdsa: { type: "ecdsa-sha2-nistp256", file: "ecdsa" },
  rsa: { type: "ssh-rsa", file: "rsa" },
} as const;

/** A kind of key that can be asked for. */
export type Kind = keyof typeof KINDS;

/** Takes `host`, `host:2222`, `[fd00::1]:22` apart; undefined where it is no address. */
export function parseAddress(text: string): Address | undefined {
  const bare = { host: text, port: 22 };
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const parsed =
    match === null || ipaddr.IPv6.isValid(text)
      ? bare
      : { host: match[1] ?? match[2] ?? "", port: Number(match[3] ?? 22) };
  const isPort = parsed.port >= 1 && parsed.port <= 65_535;
  return isPort && machineAddress.safeParse(parsed.host).success ? parsed : undefined;
}

/** As `ssh-keygen -lf` shows a key. */
export function fingerprint(key: string): string {
  const digest = createHash("sha256").update(Buffer.from(key.split(" ")[1] ?? "", "base64"));
  return `SHA256:${digest.digest("base64").replace(/=+$/, "")}`;
}

/**
 * Asks a machine for its host key with ssh-keyscan. Whoever sits in between can answer in its place:
 * the fingerprint has to be compared.
 *
 * @param kinds - which kinds to ask for; the first that the machine has is given.
 * @returns the key, or why there is none.
 * @throws UsageError where ssh-keyscan is missing.
 */
export async function lookUpHostKey(
  { host, port }: Address,
  kinds: readonly Kind[],
): Promise<FoundKey | string> {
  const result = await execa(
    "ssh-keyscan",
    ["-T", "10", "-p", String(port), "-t", kinds.join(","), "--", host],
    { reject: false, stdin: "ignore", timeout: 30_000, cancelSignal: interruption },
  );
  interruption.throwIfAborted();
  if (result.code === "ENOENT") {
    throw new UsageError(
      "needs the program ssh-keyscan, which is not on PATH. Install OpenSSH's client",
    );
  }
  const lines = result.stdout.split("\n").map((line) => line.trim().split(/\s+/));
  for (const kind of kinds) {
    const { type, file } = KINDS[kind];
    const blob = lines.find(([, offered]) => offered === type)?.[2];
    if (blob === undefined) continue;
    return { key: `${type} ${blob}`, file: `/etc/ssh/ssh_host_${file}_key.pub` };
  }
  return `${host} port ${port} shows no ${kinds.join(" or ")} key: no OpenSSH answers there, or it cannot be reached from here`;
}

/** What the operator's own known_hosts says of a key. */
export async function knownAs(
  { host, port }: Address,
  key: string,
): Promise<"same" | "other" | undefined> {
  const name = port === 22 ? host : `[${host}]:${port}`;
  const { stdout } = await execa("ssh-keygen", ["-F", name], {
    reject: false,
    stdin: "ignore",
    timeout: 10_000,
  });
  const [type = "", blob = ""] = key.split(" ");
  const known = stdout.split("\n").flatMap((line) => {
    const words = line.trim().split(/\s+/);
    return !line.startsWith("#") && !line.startsWith("@") && words[1] === type ? [words[2]] : [];
  });
  if (known.length === 0) return undefined;
  return known.includes(blob) ? "same" : "other";
}
