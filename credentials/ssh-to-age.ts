/** SSH public keys as age recipients, as the program ssh-to-age makes them for sops-nix. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { bech32 } from "@scure/base";

/** Bytes before the key itself in an ssh-ed25519 blob: two lengths and the type (RFC 8709). */
const BLOB_HEADER = 19;

/**
 * Turns an `ssh-ed25519` public key into the X25519 recipient whose private key ssh-to-age makes
 * of the SSH private key: the same point, on the curve's Montgomery form (RFC 7748, section 4.1).
 *
 * @param key - an SSH public key, or an age recipient, which is given back as it is.
 */
export function sshToAge(key: string): string {
  const [type, blob = ""] = key.split(" ");
  if (type !== "ssh-ed25519") return key;
  const point = Buffer.from(blob, "base64").subarray(BLOB_HEADER);
  return bech32.encodeFromBytes("age", ed25519.utils.toMontgomery(point));
}
