import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { bech32 } from "@scure/base";
import { describe, expect, it } from "vitest";
import { sshToAge } from "../../credentials/ssh-to-age.ts";
import { AGE_KEY } from "../config/valid.ts";

/** PKCS #8's bytes before an X25519 private key (RFC 8410, section 7). */
const X25519_PKCS8 = Buffer.from("302e020100300506032b656e04220420", "hex");

describe("an SSH key as an age recipient", () => {
  it("is the public key of what ssh-to-age makes of the private one", () => {
    for (let round = 0; round < 20; round += 1) {
      const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
      const type = Buffer.from("\0\0\0\x0bssh-ed25519\0\0\0\x20", "latin1");
      const blob = Buffer.concat([type, Buffer.from(jwk.x ?? "", "base64url")]);

      // RFC 8032, section 5.1.5: the scalar is the first half of the seed's SHA-512.
      const seed = Buffer.from(jwk.d ?? "", "base64url");
      const scalar = createHash("sha512").update(seed).digest().subarray(0, 32);
      const der = Buffer.concat([X25519_PKCS8, scalar]);
      const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
      const { x = "" } = createPublicKey(privateKey).export({ format: "jwk" });

      const recipient = bech32.encodeFromBytes("age", Buffer.from(x, "base64url"));
      expect(sshToAge(`ssh-ed25519 ${blob.toString("base64")} a comment`)).toBe(recipient);
    }
  });

  it("leaves an age recipient as it is", () => {
    expect(sshToAge(AGE_KEY)).toBe(AGE_KEY);
  });
});
