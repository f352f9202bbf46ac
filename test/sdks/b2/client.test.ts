import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createBucket, findBucket } from "../../../sdks/b2/client/buckets.ts";
import { Client } from "../../../sdks/b2/client/client.ts";
import { ConnectionError } from "../../../sdks/b2/client/errors.ts";
import { createKey, findKey, listKeys } from "../../../sdks/b2/client/keys.ts";
import { proxyTransport } from "../../../sdks/b2/client/proxy.ts";
import { isProxied, type Transport } from "../../../sdks/b2/client/transport.ts";
import { applicationKeyResource } from "../../../sdks/b2/provider/applicationKey.ts";
import { bucketResource } from "../../../sdks/b2/provider/bucket.ts";
import { counting, startWorld, type World } from "./world.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());
beforeEach(() => world.emulator.faults.clear());

const nothingLost = () => Promise.resolve(undefined);
const bucketName = "not-there-at-all";

async function clientOf(capabilities: string[], transport?: Transport): Promise<Client> {
  const settings = { keyName: "operator", capabilities, bucketIds: [] };
  const key = await createKey(world.client(), settings, nothingLost);
  return new Client(
    {
      applicationKeyId: key.applicationKeyId,
      applicationKey: key.applicationKey,
      endpoint: `${world.emulator.url}/`,
    },
    { sleep: () => Promise.resolve(), ...(transport ? { transport } : {}) },
  );
}

describe("the client", () => {
  it("authorises once for calls at the same time", async () => {
    const transport = counting();
    const client = world.client({ transport });
    await Promise.all([1, 2, 3, 4, 5].map(() => findBucket(client, { bucketName })));
    const authorisations = transport.operations.filter((o) => o === "b2_authorize_account");
    expect(authorisations).toHaveLength(1);
  });

  it("authorises once again when calls at the same time find the token expired", async () => {
    const transport = counting();
    const client = world.client({ transport });
    await client.authorize();
    world.emulator.faults.add({ operation: "list_buckets", kind: "expired-token", count: 3 });
    await Promise.all([1, 2, 3].map(() => findBucket(client, { bucketName })));
    const authorisations = transport.operations.filter((o) => o === "b2_authorize_account");
    expect(authorisations).toHaveLength(2);
  });

  it("waits as long as the service says, else longer each time up to 64 s", async () => {
    const waits: number[] = [];
    const sleep = (milliseconds: number) => {
      waits.push(milliseconds);
      return Promise.resolve();
    };
    const client = world.client({ sleep, attempts: 10, random: () => 1 });
    await client.authorize();
    world.emulator.faults.add({
      operation: "list_buckets",
      kind: "too-many-requests",
      retryAfterSeconds: 7,
    });
    world.emulator.faults.add({ operation: "list_buckets", kind: "service-unavailable", count: 8 });
    await findBucket(client, { bucketName });
    expect(waits).toEqual([7_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000, 64_000]);
  });

  it("gives up after its attempts with the service's last word", async () => {
    world.emulator.faults.add({
      operation: "list_buckets",
      kind: "service-unavailable",
      count: null,
    });
    await expect(findBucket(world.client(), { bucketName })).rejects.toThrow(
      "b2_list_buckets failed: no tomes available (503 service_unavailable)",
    );
  });

  it("names the capabilities that the key lacks, and makes no call", async () => {
    const transport = counting();
    const client = await clientOf(["listFiles"], transport);
    await expect(createBucket(client, "some-bucket", {})).rejects.toThrow(
      /may not call b2_create_bucket: it lacks the capability writeBuckets/,
    );
    await expect(
      createKey(client, { keyName: "x", capabilities: ["listFiles"], bucketIds: [] }, nothingLost),
    ).rejects.toThrow(/capabilities writeKeys, listKeys, deleteKeys/);
    expect(transport.operations).toEqual(["b2_authorize_account"]);
    await client.close();
  });

  it("says without a secret that credentials are missing or refused", async () => {
    const endpoint = world.emulator.url;
    const none = new Client({ applicationKeyId: "", applicationKey: "", endpoint });
    await expect(none.authorize()).rejects.toThrow(/No B2 credentials: set b2:applicationKeyId/);
    const id = world.emulator.applicationKeyId;
    const wrong = new Client({ applicationKeyId: id, applicationKey: "K005wrong", endpoint });
    const error = await wrong.authorize().catch((thrown: unknown) => String(thrown));
    expect(error).toContain("refused the B2 credentials");
    expect(error).not.toContain("K005wrong");
    expect(error).not.toContain(id);
    await Promise.all([none.close(), wrong.close()]);
  });

  it("tells that nobody listens, after its attempts", async () => {
    const client = new Client(
      { applicationKeyId: "a", applicationKey: "b", endpoint: "http://127.0.0.1:9" },
      { sleep: () => Promise.resolve(), attempts: 2 },
    );
    await expect(client.authorize()).rejects.toThrow(
      /No answer from 127.0.0.1:9: connect ECONNREFUSED/,
    );
    await client.close();
  });

  it("goes through the proxy that the environment names", async () => {
    const asked: string[] = [];
    const proxy = createServer().on("connect", (request, socket) => {
      asked.push(request.url ?? "");
      const [host, port] = (request.url ?? "").split(":");
      const upstream = connect(Number(port), host, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on("error", () => socket.destroy());
      socket.on("error", () => upstream.destroy());
    });
    await once(proxy.listen(0, "127.0.0.1"), "listening");
    const { port } = proxy.address() as AddressInfo;
    vi.stubEnv("HTTP_PROXY", `http://127.0.0.1:${port}`);
    vi.stubEnv("http_proxy", undefined);
    vi.stubEnv("NO_PROXY", "");
    vi.stubEnv("no_proxy", undefined);
    expect(isProxied(process.env)).toBe(true);
    const client = world.client({ transport: proxyTransport() });
    vi.unstubAllEnvs();
    await client.authorize();
    expect(asked).toEqual([new URL(world.emulator.url).host]);
    world.emulator.faults.add({ operation: "list_buckets", kind: "reset", when: "after" });
    expect(await findBucket(client, { bucketName })).toBeUndefined();
    proxy.close();
  });

  it("stops waiting when it is cancelled", async () => {
    let cancel: () => void = () => undefined;
    const sleep = (_milliseconds: number, signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve());
        cancel();
      });
    const client = world.client({ sleep });
    cancel = () => client.cancel();
    world.emulator.faults.add({
      operation: "list_buckets",
      kind: "service-unavailable",
      count: null,
    });
    await expect(findBucket(client, { bucketName })).rejects.toThrow("cancelled");
  });
});

describe("keys", () => {
  it("of one bucket are made so that old clients can use them, of several through version 4", async () => {
    const paths: string[] = [];
    const inner = counting();
    const transport: Transport = {
      send: (request, signal) => {
        paths.push(new URL(request.url).pathname);
        return inner.send(request, signal);
      },
      close: () => inner.close(),
    };
    const client = world.client({ transport });
    const a = await createBucket(client, "bucket-of-a", { bucketType: "allPrivate" });
    const b = await createBucket(client, "bucket-of-b", { bucketType: "allPrivate" });
    const inputs = { keyName: "k", capabilities: ["listFiles"] };
    const both = [a.bucketId, b.bucketId];
    const one = await applicationKeyResource.create(client, { ...inputs, bucketIds: [a.bucketId] });
    const two = await applicationKeyResource.create(client, { ...inputs, bucketIds: both });
    const creations = paths.filter((path) => path.endsWith("b2_create_key"));
    expect(creations).toEqual(["/b2api/v3/b2_create_key", "/b2api/v4/b2_create_key"]);
    expect(one.properties).toMatchObject({ bucketId: a.bucketId, bucketIds: [a.bucketId] });
    expect(two.properties.bucketIds).toEqual([...both].sort());
    const read = await applicationKeyResource.read(client, two.id, { ...two, inputs });
    expect(read?.properties).toEqual(two.properties);
  });

  it("are found by their id among many, and not when they are gone", async () => {
    const client = world.client();
    const settings = { keyName: "many", capabilities: ["listFiles"], bucketIds: [] };
    const made = await Promise.all([1, 2, 3].map(() => createKey(client, settings, nothingLost)));
    for (const { applicationKeyId } of made) {
      expect((await findKey(client, applicationKeyId))?.applicationKeyId).toBe(applicationKeyId);
    }
    expect(await findKey(client, "0050000000000000000000000")).toBeUndefined();
    expect((await listKeys(client)).length).toBeGreaterThanOrEqual(3);
  });
});

describe("an answer that is lost", () => {
  /** Sends the request on, and gives the answer `change` makes of it; once for an operation. */
  function spoiling(
    operation: string,
    change: (body: string) => { body: string } | Error,
  ): Transport {
    const inner = counting();
    let spoiled = false;
    return {
      async send(request, signal) {
        const response = await inner.send(request, signal);
        if (spoiled || !request.url.endsWith(operation)) return response;
        spoiled = true;
        const changed = change(response.body);
        if (changed instanceof Error) throw changed;
        return { ...response, ...changed };
      },
      close: () => inner.close(),
    };
  }

  it("is one that is not JSON, too: the key is made anew and the lost one deleted", async () => {
    const transport = spoiling("b2_create_key", () => ({ body: "<html>" }));
    const client = world.client({ transport });
    const inputs = { keyName: "spoiled", capabilities: ["listFiles"] };
    const { id } = await applicationKeyResource.create(client, inputs);
    const left = (await listKeys(world.client())).filter(({ keyName }) => keyName === "spoiled");
    expect(left.map(({ applicationKeyId }) => applicationKeyId)).toEqual([id]);
  });

  it("leaves the bucket to be taken up even when the service acts only at the next look", async () => {
    // The look after the lost answer finds nothing yet; the second attempt finds the name taken.
    const created = spoiling("b2_create_bucket", () => new ConnectionError("reset", true));
    let looks = 0;
    const transport: Transport = {
      async send(request, signal) {
        const response = await created.send(request, signal);
        const isLook = request.url.endsWith("b2_list_buckets");
        return isLook && ++looks === 2 ? { ...response, body: '{"buckets":[]}' } : response;
      },
      close: () => created.close(),
    };
    const inputs = { bucketName: "late-bucket", bucketType: "allPrivate" };
    const { id } = await bucketResource.create(world.client({ transport }), inputs);
    expect((await findBucket(world.client(), { bucketName: "late-bucket" }))?.bucketId).toBe(id);
  });
});
