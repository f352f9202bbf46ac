import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { authorize, Client, type Setup, setUp } from "./harness.ts";

let setup: Setup;
beforeAll(async () => {
  setup = await setUp();
});
afterAll(async () => setup.stop());

async function keyOf(
  parameters: object,
  version: number,
): Promise<{ applicationKeyId: string; applicationKey: string }> {
  const { master } = setup;
  return await master.ok(
    "create_key",
    { accountId: master.accountId, keyName: "k", capabilities: ["listFiles"], ...parameters },
    version,
  );
}

describe("b2_authorize_account", () => {
  it("answers v1 and v2 flat, and v2 with the bucket's name", async () => {
    const bucketId = await setup.master.createBucket("auth-flat");
    const key = await keyOf({ bucketId, namePrefix: "p/" }, 3);
    const { url } = setup.emulator;
    const allowed = { bucketId, capabilities: ["listFiles"], namePrefix: "p/" };
    const v1 = await authorize(url, key.applicationKeyId, key.applicationKey, 1);
    expect(v1.body).toMatchObject({ apiUrl: url, minimumPartSize: 100_000_000 });
    expect(v1.body.allowed).toEqual(allowed);
    const v2 = await authorize(url, key.applicationKeyId, key.applicationKey, 2);
    expect(v2.body.allowed).toEqual({ ...allowed, bucketName: "auth-flat" });
  });

  it("answers v3 with the restriction in storageApi and v4 with it in allowed", async () => {
    const bucketId = await setup.master.createBucket("auth-nested");
    const key = await keyOf({ bucketId }, 3);
    const { url } = setup.emulator;
    const v3 = await authorize(url, key.applicationKeyId, key.applicationKey, 3);
    expect(v3.body.apiInfo.storageApi).toMatchObject({
      absoluteMinimumPartSize: 5_000_000,
      bucketId,
      bucketName: "auth-nested",
      capabilities: ["listFiles"],
      downloadUrl: url,
      infoType: "storageApi",
      namePrefix: null,
      s3ApiUrl: url,
    });
    const v4 = await authorize(url, key.applicationKeyId, key.applicationKey, 4);
    expect(v4.body.apiInfo.storageApi.allowed).toEqual({
      buckets: [{ id: bucketId, name: "auth-nested" }],
      capabilities: ["listFiles"],
      namePrefix: null,
    });
    expect(v4.body.applicationKeyExpirationTimestamp).toBeNull();
  });

  it("refuses v1 to v3 to a key that v4 restricted to a bucket", async () => {
    const bucketId = await setup.master.createBucket("auth-v4-only");
    const key = await keyOf({ bucketIds: [bucketId] }, 4);
    const { url } = setup.emulator;
    for (const version of [1, 2, 3]) {
      const answer = await authorize(url, key.applicationKeyId, key.applicationKey, version);
      expect(answer.status).toBe(400);
      expect(answer.body).toEqual({
        status: 400,
        code: "bad_request",
        message: `This request is not currently supported on API version number ${version}`,
      });
    }
    expect((await authorize(url, key.applicationKeyId, key.applicationKey, 4)).status).toBe(200);
  });

  it("names a deleted bucket of a key as null", async () => {
    const { master, emulator } = setup;
    const bucketId = await master.createBucket("auth-gone");
    const key = await keyOf({ bucketIds: [bucketId] }, 4);
    await master.ok("delete_bucket", { accountId: master.accountId, bucketId });
    const answer = await authorize(emulator.url, key.applicationKeyId, key.applicationKey);
    expect(answer.body.apiInfo.storageApi.allowed.buckets).toEqual([{ id: bucketId, name: null }]);
  });

  it("answers 401 unauthorized to a wrong key and to no key", async () => {
    const { url, applicationKeyId } = setup.emulator;
    for (const [id, key] of [
      [applicationKeyId, "wrong"],
      ["nobody", "wrong"],
    ] as const) {
      const answer = await authorize(url, id, key);
      expect(answer.status).toBe(401);
      expect(answer.body.code).toBe("unauthorized");
    }
    const anonymous = await fetch(`${url}/b2api/v4/b2_authorize_account`);
    expect(anonymous.status).toBe(401);
  });

  it("tells the time, close to the real one, as b2sdk demands", async () => {
    const answer = await authorize(
      setup.emulator.url,
      setup.emulator.applicationKeyId,
      setup.emulator.applicationKey,
    );
    const date = Date.parse(answer.headers.get("date") ?? "");
    expect(Math.abs(date - Date.now())).toBeLessThan(600_000);
  });
});

describe("tokens", () => {
  it("are missing, bad or expired, each with its code", async () => {
    const { emulator, master } = setup;
    const list = { accountId: master.accountId };
    const nobody = new Client(emulator.url, emulator.accountId);
    expect((await nobody.call("list_buckets", list)).body.code).toBe("missing_auth_token");
    nobody.token = `${master.token.slice(0, -3)}xyz`;
    expect((await nobody.call("list_buckets", list)).body.code).toBe("bad_auth_token");
    const { token } = await Client.authorize(
      emulator,
      emulator.applicationKeyId,
      emulator.applicationKey,
    );
    emulator.clock.advance(24 * 60 * 60 * 1000);
    nobody.token = token;
    const expired = await nobody.call("list_buckets", list);
    expect([expired.status, expired.body.code]).toEqual([401, "expired_auth_token"]);
    setup.master.token = (
      await Client.authorize(emulator, emulator.applicationKeyId, emulator.applicationKey)
    ).token;
  });

  it("end with their key, when it is deleted and when it expires", async () => {
    const { emulator, master } = setup;
    const bucketId = await master.createBucket("auth-ends");
    const list = (client: Client) => client.call("list_file_names", { bucketId });
    const deleted = await master.withKey({ capabilities: ["listFiles"], keyName: "deleted" });
    const { keys } = await master.ok("list_keys", { accountId: master.accountId });
    const { applicationKeyId } = (keys as { keyName: string; applicationKeyId: string }[]).find(
      (key) => key.keyName === "deleted",
    ) ?? { applicationKeyId: "" };
    expect((await list(deleted)).status).toBe(200);
    await master.ok("delete_key", { applicationKeyId });
    expect((await list(deleted)).body.code).toBe("bad_auth_token");

    const expiring = await master.withKey({
      capabilities: ["listFiles"],
      validDurationInSeconds: 60,
    });
    expect((await list(expiring)).status).toBe(200);
    emulator.clock.advance(60_000);
    expect((await list(expiring)).body.code).toBe("expired_auth_token");
  });

  it("expire after a few calls in the test mode for that", async () => {
    const { emulator, master } = setup;
    const { accountId, url } = emulator;
    const basic = Buffer.from(`${accountId}:${emulator.applicationKey}`).toString("base64");
    const response = await fetch(`${url}/b2api/v4/b2_authorize_account`, {
      headers: {
        Authorization: `Basic ${basic}`,
        "X-Bz-Test-Mode": "expire_some_account_authorization_tokens",
      },
    });
    const client = new Client(url, accountId);
    client.token = ((await response.json()) as { authorizationToken: string }).authorizationToken;
    const codes: unknown[] = [];
    for (let call = 0; call < 6; call += 1) {
      codes.push((await client.call("list_buckets", { accountId: master.accountId })).body.code);
    }
    expect(codes.at(0)).toBeUndefined();
    expect(codes.at(-1)).toBe("expired_auth_token");
  });
});
