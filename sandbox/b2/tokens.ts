import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

import type { Clock } from "./clock.ts";
import { B2Error } from "./errors.ts";
import { isObject } from "./fields.ts";

/** What a token stands for. */
export type TokenClaims =
  | { kind: "account"; keyId: string }
  | { kind: "upload"; keyId: string; bucketId: string }
  | { kind: "part"; keyId: string; fileId: string }
  | {
      kind: "download";
      keyId: string;
      bucketId: string;
      fileNamePrefix: string;
      overrides: Record<string, string>;
    };

interface Payload {
  claims: TokenClaims;
  expires: number;
  /** Makes every token a different one, as upload tokens must be. */
  nonce: string;
  /** Test mode: good for a few calls only. */
  uses?: number;
}

const day = 24 * 60 * 60 * 1000;

/** Issues and reads signed tokens; nothing of them is stored, so they survive a restart. */
export class Tokens {
  readonly #secret: string;
  readonly #clock: Pick<Clock, "now">;
  readonly #inUse = new Set<string>();
  readonly #uses = new Map<string, number>();

  constructor(secret: string, clock: Pick<Clock, "now">) {
    this.#secret = secret;
    this.#clock = clock;
  }

  /**
   * @param lifetime - in milliseconds; a day unless given
   * @param uses - the token expires after so many calls
   */
  issue(claims: TokenClaims, lifetime = day, uses?: number): string {
    const payload: Payload = {
      claims,
      expires: this.#clock.now() + lifetime,
      nonce: randomBytes(9).toString("base64url"),
      ...(uses === undefined ? {} : { uses }),
    };
    const text = Buffer.from(JSON.stringify(payload)).toString("base64url");
    return `4_${text}.${this.#mac(text)}`;
  }

  /**
   * @returns what the token stands for
   * @throws B2Error 401 `bad_auth_token` or `expired_auth_token`
   */
  read(token: string): TokenClaims {
    const match = /^4_([\w-]+)\.([\w-]+)$/.exec(token);
    const [, text = "", mac = ""] = match ?? [];
    const expected = Buffer.from(this.#mac(text));
    const given = Buffer.from(mac);
    if (match === null || given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new B2Error(401, "bad_auth_token", "Invalid authorization token");
    }
    const payload: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    if (!isPayload(payload))
      throw new B2Error(401, "bad_auth_token", "Invalid authorization token");
    const used = (this.#uses.get(token) ?? 0) + 1;
    if (payload.uses !== undefined) this.#uses.set(token, used);
    if (payload.expires <= this.#clock.now() || used > (payload.uses ?? Infinity)) {
      throw new B2Error(401, "expired_auth_token", "Authorization token has expired");
    }
    return payload.claims;
  }

  /**
   * Takes an upload token for the length of one upload.
   *
   * @throws B2Error 400 `auth_token_limit` when an upload with it is under way
   */
  acquire(token: string): () => void {
    if (this.#inUse.has(token)) {
      throw new B2Error(400, "auth_token_limit", `more than one upload using auth token ${token}`);
    }
    this.#inUse.add(token);
    return () => void this.#inUse.delete(token);
  }

  #mac(text: string): string {
    return createHmac("sha256", this.#secret).update(text).digest("base64url");
  }
}

// The signature vouches for the rest.
function isPayload(value: unknown): value is Payload {
  return isObject(value) && isObject(value.claims);
}
