import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { newSecret } from "./ids.ts";
import { capabilities, type KeyRecord } from "./model.ts";

/** The account of a data folder: made at the first start, the same ever after. */
export interface Account {
  accountId: string;
  /** The master key's secret, in clear text: this is a stand-in. */
  applicationKey: string;
  /** Signs the tokens, so that they survive a restart. */
  tokenSecret: string;
}

/** Reads the account of a data folder (`account.json`, mode 0600), or makes it. */
export function loadAccount(directory: string): Account {
  const path = join(directory, "account.json");
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as Account;
  const account: Account = {
    accountId: randomBytes(6).toString("hex"),
    applicationKey: newSecret(),
    tokenSecret: randomBytes(32).toString("hex"),
  };
  writeFileSync(`${path}.new`, JSON.stringify(account), { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return account;
}

/** @returns the master key: every capability, no restriction; its id is the account's */
export function masterKey(account: Account): KeyRecord {
  return {
    applicationKeyId: account.accountId,
    secretSha256: sha256(account.applicationKey),
    keyName: "Master Application Key",
    capabilities: [...capabilities],
    bucketIds: null,
    namePrefix: null,
    expirationTimestamp: null,
    createdWithVersion: 1,
  };
}

/** @returns whether this is the key's secret */
export function isSecretOf(key: KeyRecord, secret: string): boolean {
  return timingSafeEqual(Buffer.from(key.secretSha256, "hex"), Buffer.from(sha256(secret), "hex"));
}

/** @returns the SHA-256 of a secret, in hex: all that is kept of it (it has 160 random bits) */
export function sha256(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
