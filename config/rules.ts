/**
 * The rules for names, keys and addresses in the stack's config. Each comes from the system in
 * which the value ends up, and each says the way out as well as the rule.
 */
import { bech32 } from "@scure/base";
import ipaddr from "ipaddr.js";
import { z } from "zod";
import { CANARY } from "./canary.ts";

/** A string that a predicate accepts; `rule` completes the sentence "must be …". */
const checked = (rule: string, accepts: (value: string) => boolean): z.ZodString =>
  z.string({ error: rule }).refine(accepts, { error: rule }).describe(`Must be ${rule}`);

/**
 * restic's object types cannot be the name of a repository's directory: rest-server would take
 * `/locks/` for the locks of a repository at its root (rest-server, mux.go and handlers.go).
 */
const RESERVED_HOST_NAMES = new Set([
  ...["config", "data", "index", "keys", "locks", "snapshots"],
  CANARY,
]);

/** What {@link hostName} asks for. */
export const HOST_NAME_RULE =
  "a host name of up to 40 lower-case letters, digits and inner hyphens, and none of restic's own directory names (config, data, index, keys, locks, snapshots) or the agent's (offsite-canary)";

/** A host's name: a DNS label, a rest-server user, a directory, a part of a B2 key's name. */
export const hostName = checked(
  HOST_NAME_RULE,
  (value) =>
    /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/.test(value) && !RESERVED_HOST_NAMES.has(value),
);

/** What {@link guestName} asks for. */
export const GUEST_NAME_RULE =
  "a guest's name of up to 24 lower-case letters, digits and inner hyphens, and none of the names that no host can have (config, data, index, keys, locks, snapshots, offsite-canary)";

/** A guest's name: as a host's, and short enough to be a part of a system user's name. */
export const guestName = checked(
  GUEST_NAME_RULE,
  (value) => value.length <= 24 && hostName.safeParse(value).success,
);

/** What {@link targetName} asks for. */
export const TARGET_NAME_RULE =
  "a target name of up to 20 lower-case letters and digits that starts with a letter, and not that of the hub itself (hub): it becomes an rclone remote and a part of environment variables";

/** A target's name: an rclone remote, a part of environment variables and of resource names. */
export const targetName = checked(
  TARGET_NAME_RULE,
  (value) => /^[a-z][a-z0-9]{0,19}$/.test(value) && value !== "hub",
);

/** A B2 bucket that restic accepts too (Backblaze: 6 to 63 characters; restic: 6 to 50). */
export const bucketName = checked(
  'a bucket name of 6 to 50 letters, digits and hyphens that does not start with "b2-". It must be unused in the whole of B2: put something of your own in it',
  (value) => /^[a-z0-9][a-z0-9-]{5,49}$/i.test(value) && !/^b2-/i.test(value),
);

/** A bucket of S3 as every service takes it, and none with a dot, which TLS names do not go with. */
export const s3BucketName = checked(
  "a bucket name of 3 to 63 lower-case letters, digits and inner hyphens",
  (value) => /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(value),
);

/** A folder in a bucket. */
export const objectPrefix = checked(
  "folders of letters, digits, dots, hyphens and underscores with single slashes between them",
  (value) => /^[A-Za-z0-9_][A-Za-z0-9._-]*(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)*$/.test(value),
);

/** Whether a base64 blob is an SSH public key of the named type (RFC 4253, section 6.6). */
function isSshKeyBlob(type: string, base64: string): boolean {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return false;
  const blob = Buffer.from(base64, "base64");
  if (blob.length < 8 + type.length || blob.readUInt32BE(0) !== type.length) return false;
  if (blob.toString("latin1", 4, 4 + type.length) !== type) return false;
  return type !== "ssh-ed25519" || (blob.length === 51 && blob.readUInt32BE(15) === 32);
}

function isSshPublicKey(value: string, types: readonly string[]): boolean {
  const [type = "", blob = ""] = value.split(" ");
  return types.includes(type) && isSshKeyBlob(type, blob) && !/[\r\n]/.test(value);
}

/** Whether a value is an age X25519 recipient (age's format: Bech32 of 32 bytes, prefix "age"). */
function isAgeRecipient(value: string): boolean {
  if (!value.startsWith("age1")) return false;
  try {
    const { prefix, bytes } = bech32.decodeToBytes(value);
    return prefix === "age" && bytes.length === 32;
  } catch {
    return false;
  }
}

/** A public key that age can encrypt to. */
export const sealKey = checked(
  'an "ssh-ed25519" or "age1" public key. Print a machine\'s with: ssh-keyscan -t ed25519 <host>; your own with: age-keygen -y <file>',
  (value) => isAgeRecipient(value) || isSshPublicKey(value, ["ssh-ed25519"]),
);

/** A host key as in known_hosts, without the host. */
export const sshHostKey = checked(
  'the peer\'s "ecdsa-sha2-nistp256", "ssh-ed25519" or "ssh-rsa" host key. Print it with: ssh-keyscan -t ecdsa <host>, and compare it with the machine\'s own: ssh-keygen -lf /etc/ssh/ssh_host_ecdsa_key.pub',
  (value) => isSshPublicKey(value, ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]),
);

/** An address and port to listen on, taken apart. */
export interface ListenAddress {
  /** The address without brackets, in its usual spelling. */
  readonly address: string;
  readonly port: number;
  /** Whether it stands for every address of the machine. */
  readonly wildcard: boolean;
}

/**
 * Takes `10.0.0.1:8000` or `[fd00::1]:8000` apart.
 *
 * @returns the parts, or undefined when it is not an IP address with a port from 1 to 65535.
 */
export function parseListen(value: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/i.exec(value);
  const address = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (address === undefined || port < 1 || port > 65535) return undefined;
  const valid =
    match?.[1] === undefined
      ? ipaddr.IPv4.isValidFourPartDecimal(address)
      : ipaddr.IPv6.isValid(address);
  if (!valid) return undefined;
  const parsed = ipaddr.parse(address);
  // Nobody listens on a group's address, and an IPv4 address in IPv6's clothes has a better name.
  if (["multicast", "broadcast", "ipv4Mapped"].includes(parsed.range())) return undefined;
  return { address: parsed.toString(), port, wildcard: parsed.range() === "unspecified" };
}

/** An IP address and port. */
export const listenAddress = checked(
  'an IP address and a port, such as "100.64.0.9:8000" or "[fd7a::9]:8000"',
  (value) => parseListen(value) !== undefined,
);

/** The name or address of a machine to connect to. */
export const machineAddress = checked(
  "a host name or an IP address",
  (value) =>
    ipaddr.isValid(value) ||
    (value.length <= 253 && /^(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*$/i.test(value)),
);

/** A POSIX user name as useradd accepts it. */
export const userName = checked("a user name", (value) => /^[a-z_][a-z0-9_-]{0,31}$/.test(value));

const DIRECTORY = /^(?:\/[A-Za-z0-9_][A-Za-z0-9._-]*)+$/;

/** A directory of a machine, of characters that need quoting nowhere. */
export const absoluteDirectory = checked(
  "an absolute path of letters, digits, dots, hyphens and underscores, without a slash at its end",
  (value) => DIRECTORY.test(value),
);

/** Trees that belong to the system. */
const SYSTEM = /^\/(?:bin|boot|dev|etc|lib|lib32|lib64|proc|run|sbin|sys|usr)\//;

/** A directory that becomes fort-offsite's own: never one of the system's. */
export const ownDirectory = checked(
  "an absolute path at least two levels deep and in none of the system's directories, such as \"/srv/fort-offsite\": it becomes the server's own",
  (value) => DIRECTORY.test(value) && value.split("/").length > 2 && !SYSTEM.test(value),
);

/** Where the bundle goes: absolute, or relative to the project. */
export const bundleDirectory = checked(
  'a path, absolute or relative to the project, such as "../fort-nix/secrets/offsite"',
  (value) => /^[A-Za-z0-9._/][A-Za-z0-9._/ -]*$/.test(value) && !/^[./]*$/.test(value),
);

/** A base URL without credentials, of characters that need quoting nowhere. */
export const baseUrl = checked(
  'an "http://" or "https://" URL of letters, digits and ./:@%+=,-[] without user, password, query and fragment',
  (value) => {
    if (!/^https?:\/\/[A-Za-z0-9_./:@%+=,[\]-]+$/.test(value) || !URL.canParse(value)) return false;
    const url = new URL(value);
    return url.username + url.password === "";
  },
);

/** A container image, pinned by digest or a local image's ID. */
export const imageReference = checked(
  'an image such as "restic/rest-server:0.14.0@sha256:…" (or a local image\'s ID, "sha256:…")',
  (value) =>
    /^sha256:[0-9a-f]{64}$/.test(value) ||
    /^[a-z0-9][a-z0-9._/-]*(?::[0-9]+)?[a-z0-9._/-]*(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/.test(
      value,
    ),
);

/** 32 bytes in hex. */
export const credentialSeed = checked(
  "32 random bytes as 64 hex digits. Make it with: openssl rand -hex 32 | pulumi config set --secret fort-offsite:credentialSeed",
  (value) => /^[0-9a-f]{64}$/.test(value) && new Set(value).size > 4,
);

/** What an unencrypted key in OpenSSH's own format begins with (PROTOCOL.key in OpenSSH). */
const OPENSSH_UNENCRYPTED = Buffer.from("openssh-key-v1\0\0\0\0\x04none", "latin1");

function isUnencryptedKey(value: string): boolean {
  const match =
    /^-----BEGIN ((?:OPENSSH |RSA |EC )?PRIVATE KEY)-----\r?\n([\s\S]+)\n-----END \1-----\s*$/.exec(
      value,
    );
  const [, type, body = ""] = match ?? [];
  if (type === undefined || body.includes("ENCRYPTED")) return false;
  if (type !== "OPENSSH PRIVATE KEY") return true;
  const bytes = Buffer.from(body, "base64");
  return bytes.subarray(0, OPENSSH_UNENCRYPTED.length).equals(OPENSSH_UNENCRYPTED);
}

/** A private key that needs no passphrase. */
export const sshPrivateKey = checked(
  "a private key in PEM or OpenSSH format that needs no passphrase. Make one for this alone with: ssh-keygen -t ed25519 -N '' -f peer-key, and set it with: pulumi config set --secret fort-offsite:sshPrivateKey < peer-key; or remove it, and the SSH agent is asked",
  isUnencryptedKey,
);
