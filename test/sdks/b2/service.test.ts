import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { credentials } from "@grpc/grpc-js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import structProto from "google-protobuf/google/protobuf/struct_pb.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decode } from "../../../sdks/b2/provider/wire.ts";
import { startWorld, type World } from "./world.ts";

const folder = path.resolve(import.meta.dirname, "../../../sdks/b2");
const secretMark = "4dabf18193072939515e22adb298388d";
const secret = (value: unknown) => ({ [secretMark]: "1b47061264138c4ac30d75fd1eb44270", value });
const unknownMark = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const bucketUrn = "urn:pulumi:s::p::b2:index/bucket:Bucket::bucket";
const keyUrn = "urn:pulumi:s::p::b2:index/applicationKey:ApplicationKey::key";

type Raw = Parameters<typeof structProto.Struct.fromJavaScript>[0];
const struct = (value: Record<string, unknown>) => structProto.Struct.fromJavaScript(value as Raw);

let world: World;
let cwd: string;
let provider: ChildProcess;
let client: InstanceType<typeof providerService.ResourceProviderClient>;

beforeAll(async () => {
  world = await startWorld();
  cwd = await mkdtemp(path.join(tmpdir(), "elsewhere-"));
  // As the engine does it, whose own options for Node must not get in the way.
  provider = spawn(path.join(folder, "pulumi-resource-b2"), ["127.0.0.1:1"], {
    cwd,
    env: { ...process.env, NODE_OPTIONS: "--import nowhere-to-be-found" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (!provider.stdout) throw new Error("no output");
  const [port] = (await once(createInterface(provider.stdout), "line")) as [string];
  client = new providerService.ResourceProviderClient(
    `127.0.0.1:${port}`,
    credentials.createInsecure(),
  );
  const config = struct({
    applicationKeyId: secret(world.emulator.applicationKeyId),
    applicationKey: secret(world.emulator.applicationKey),
    endpoint: world.emulator.url,
  });
  await call("configure", new providerProto.ConfigureRequest().setArgs(config));
});
afterAll(async () => {
  client.close();
  const ended = once(provider, "exit");
  provider.kill("SIGINT");
  expect(await ended).toEqual([0, null]);
  await world.stop();
  await rm(cwd, { recursive: true });
});

type Method = Exclude<keyof typeof client, "list">;

/** Calls the provider as the engine does. */
function call<Response>(method: Method, request: unknown): Promise<Response> {
  const methods = client as unknown as Record<
    Method,
    (request: unknown, callback: (error: Error | null, response: Response) => void) => void
  >;
  return new Promise((resolve, reject) => {
    methods[method](request, (error, response) => {
      if (error) reject(error);
      else resolve(response);
    });
  });
}

type CheckResponse = InstanceType<typeof providerProto.CheckResponse>;
type CreateResponse = InstanceType<typeof providerProto.CreateResponse>;

describe("the provider's process", () => {
  it("says that it keeps secrets apart", async () => {
    const request = new providerProto.ProviderHandshakeRequest();
    const response = await call<InstanceType<typeof providerProto.ProviderHandshakeResponse>>(
      "handshake",
      request,
    );
    expect(response.getAcceptSecrets()).toBe(true);
  });

  it("serves the schema that the SDK was generated from", async () => {
    const response = await call<InstanceType<typeof providerProto.GetSchemaResponse>>(
      "getSchema",
      new providerProto.GetSchemaRequest(),
    );
    expect(response.getSchema()).toBe(await readFile(path.join(folder, "schema.json"), "utf8"));
  });

  it("gives checked inputs back with their secrets and unknown values", async () => {
    const news = {
      bucketName: "some-bucket",
      bucketType: unknownMark,
      bucketInfo: { token: secret("x") },
    };
    const request = new providerProto.CheckRequest().setUrn(bucketUrn).setNews(struct(news));
    const response = await call<CheckResponse>("check", request);
    expect(response.getFailuresList()).toEqual([]);
    expect(response.getInputs()?.toJavaScript()).toEqual(news);
  });

  it("foresees in a preview what it can, and calls nobody", async () => {
    const calls = world.emulator.stats();
    const inputs = { keyName: "k", capabilities: ["listFiles"], bucketIds: [unknownMark] };
    const request = new providerProto.CreateRequest()
      .setUrn(keyUrn)
      .setPreview(true)
      .setProperties(struct(inputs));
    const response = await call<CreateResponse>("create", request);
    expect(response.getProperties()?.toJavaScript()).toMatchObject({
      keyName: "k",
      applicationKeyId: unknownMark,
      applicationKey: secret(unknownMark),
      bucketIds: unknownMark,
    });
    expect(world.emulator.stats()).toEqual(calls);
  });

  it("marks a new key's secret, and the outputs of secret inputs", async () => {
    const inputs = { keyName: "k", capabilities: secret(["listFiles"]) };
    const request = new providerProto.CreateRequest().setUrn(keyUrn).setProperties(struct(inputs));
    const response = await call<CreateResponse>("create", request);
    const { secrets } = decode(response.getProperties());
    expect([...secrets].sort()).toEqual(["applicationKey", "capabilities"]);
  });

  it("answers a resource that it does not have with an error", async () => {
    const urn = "urn:pulumi:s::p::b2:index/other:Other::x";
    const request = new providerProto.CheckRequest().setUrn(urn);
    await expect(call("check", request)).rejects.toThrow(/has no resource "b2:index\/other:Other"/);
  });

  // The last one: nothing is called any more after it.
  it("gives up waiting when the engine cancels, and keeps what may have been made", async () => {
    // Each wait would be an hour, were it not cut to the minutes that are allowed at most.
    world.emulator.faults.add({
      operation: "create_bucket",
      kind: "service-unavailable",
      when: "after",
      retryAfterSeconds: 3_600,
      count: null,
    });
    const inputs = { bucketName: "cancelled-bucket", bucketType: "allPrivate" };
    const request = new providerProto.CreateRequest()
      .setUrn(bucketUrn)
      .setProperties(struct(inputs));
    const creation = call("create", request).catch((error: unknown) => error);
    while (world.emulator.faults.list()[0]?.hits === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await call("cancel", new emptyProto.Empty());
    expect(String(await creation)).toMatch(/not known whether it was carried out/);
  });
});
