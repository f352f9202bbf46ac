import { isSecretOf } from "./account.ts";
import type { Call, Reply } from "./call.ts";
import { B2Error, badRequest, unauthorized } from "./errors.ts";
import type { Capability, Json, KeyRecord } from "./model.ts";
import type { World } from "./world.ts";

/** What a call wants to touch, for a key's restrictions. */
export interface Scope {
  bucketId?: string;
  /** A file's name, or the prefix of a listing: must start with the key's prefix. */
  name?: string;
}

/** @returns the secret part of an `Authorization` header or parameter */
export function tokenOf(call: Call): string {
  const header = call.headers.authorization ?? call.query.get("Authorization");
  if (header === null || header === "") {
    throw new B2Error(401, "missing_auth_token", "Authorization token is missing");
  }
  return header;
}

/**
 * @returns the key of a call's account token
 * @throws B2Error 401 when there is no token, or it is bad or expired
 */
export function keyOf(call: Call): KeyRecord {
  const claims = call.world.tokens.read(tokenOf(call));
  if (claims.kind !== "account") {
    throw new B2Error(401, "bad_auth_token", "Not an account authorization token");
  }
  return keyById(call.world, claims.keyId);
}

/** @throws B2Error 401 when the key is deleted or expired: its tokens end with it */
export function keyById(world: World, keyId: string): KeyRecord {
  const key = world.key(keyId);
  if (key === undefined) throw new B2Error(401, "bad_auth_token", "Invalid authorization token");
  if (isExpired(key, world)) {
    throw new B2Error(401, "expired_auth_token", "Authorization token has expired");
  }
  return key;
}

/**
 * Checks that a key has a capability and that the scope is within its restrictions.
 *
 * @throws B2Error 401 `unauthorized`
 */
export function demand(key: KeyRecord, capability: Capability, scope: Scope = {}): void {
  if (!key.capabilities.includes(capability)) throw unauthorized();
  if (scope.bucketId !== undefined && key.bucketIds?.includes(scope.bucketId) === false) {
    throw unauthorized();
  }
  if (scope.name !== undefined && !scope.name.startsWith(key.namePrefix ?? "")) {
    throw unauthorized();
  }
}

/** The account's id is part of many calls. */
export function demandAccount(call: Call): void {
  if (call.fields.string("accountId") !== call.world.account.accountId) {
    throw unauthorized("accountId does not match the authorization token");
  }
}

/** `b2_authorize_account`, v1 to v4. */
export function authorizeAccount(call: Call): Reply {
  const key = basicAuthKey(call);
  const { world, version } = call;
  if (version < 4 && key.createdWithVersion === 4 && key.bucketIds !== null) {
    // restic #5741 shows this answer; the documentation says 401 `unsupported`.
    throw badRequest(`This request is not currently supported on API version number ${version}`);
  }
  const testMode = call.headers["x-bz-test-mode"] === "expire_some_account_authorization_tokens";
  const authorizationToken = world.tokens.issue(
    { kind: "account", keyId: key.applicationKeyId },
    undefined,
    testMode ? 5 : undefined,
  );
  const common = { accountId: world.account.accountId, authorizationToken };
  const storage = {
    absoluteMinimumPartSize: 5_000_000,
    apiUrl: world.url,
    downloadUrl: world.url,
    recommendedPartSize: 100_000_000,
    s3ApiUrl: world.url,
  };
  const bucketId = key.bucketIds?.[0] ?? null;
  const restriction = {
    bucketId,
    bucketName: bucketId === null ? null : bucketName(world, bucketId),
    capabilities: key.capabilities,
    namePrefix: key.namePrefix,
  };
  return { json: { ...common, ...answer(version, key, storage, restriction, world) } };
}

function answer(
  version: number,
  key: KeyRecord,
  storage: Json,
  restriction: { bucketId: string | null; bucketName: string | null },
  world: World,
): Json {
  if (version <= 2) {
    const { bucketName: name, ...v1 } = restriction;
    return {
      ...storage,
      minimumPartSize: storage.recommendedPartSize,
      allowed: version === 1 ? v1 : { ...v1, bucketName: name },
    };
  }
  const allowed = {
    buckets: key.bucketIds?.map((id) => ({ id, name: bucketName(world, id) })) ?? null,
    capabilities: key.capabilities,
    namePrefix: key.namePrefix,
  };
  return {
    applicationKeyExpirationTimestamp: key.expirationTimestamp,
    apiInfo: {
      groupsApi: { capabilities: [], groupsApiUrl: storage.apiUrl, infoType: "groupsApi" },
      storageApi: {
        ...storage,
        infoType: "storageApi",
        ...(version === 3 ? restriction : { allowed }),
      },
    },
  };
}

function basicAuthKey(call: Call): KeyRecord {
  const header = call.headers.authorization ?? "";
  const [scheme = "", encoded = ""] = header.split(" ");
  const [keyId = "", ...secret] = Buffer.from(encoded, "base64").toString("utf8").split(":");
  const key = scheme.toLowerCase() === "basic" ? call.world.key(keyId) : undefined;
  if (key === undefined || !isSecretOf(key, secret.join(":")) || isExpired(key, call.world)) {
    throw unauthorized("Invalid applicationKeyId or applicationKey");
  }
  return key;
}

function isExpired(key: KeyRecord, world: World): boolean {
  return key.expirationTimestamp !== null && key.expirationTimestamp <= world.now();
}

function bucketName(world: World, bucketId: string): string | null {
  return world.store.buckets.get(bucketId)?.bucketName ?? null;
}
