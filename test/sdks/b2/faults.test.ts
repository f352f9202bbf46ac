import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Fault } from "../../../sandbox/b2/index.ts";
import { findBucket } from "../../../sdks/b2/client/buckets.ts";
import type { Client } from "../../../sdks/b2/client/client.ts";
import { Client as B2Client } from "../../../sdks/b2/client/client.ts";
import { listKeys } from "../../../sdks/b2/client/keys.ts";
import { httpTransport } from "../../../sdks/b2/client/transport.ts";
import { applicationKeyResource } from "../../../sdks/b2/provider/applicationKey.ts";
import { bucketResource } from "../../../sdks/b2/provider/bucket.ts";
import { InitFailedError, type Resource, type State } from "../../../sdks/b2/provider/resource.ts";
import type { Properties } from "../../../sdks/b2/provider/wire.ts";
import { counting, startWorld, type World } from "./world.ts";

let world: World;
let serial = 0;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());
beforeEach(() => world.emulator.faults.clear());

/** What the engine does with one resource of a program, as far as it matters here. */
class Stack {
  state: State | undefined;
  readonly resource: Resource;

  constructor(resource: Resource) {
    this.resource = resource;
  }

  async up(client: Client, inputs: Properties): Promise<void> {
    if (this.state) {
      const { differences, deleteBeforeReplace } = this.resource.diff(this.state, inputs);
      if (!differences.some(({ replaces }) => replaces)) {
        const properties = await this.resource.update(client, this.state, inputs);
        this.state = { id: this.state.id, properties };
        return;
      }
      if (!deleteBeforeReplace) throw new Error("not needed here");
      await this.destroy(client);
    }
    try {
      this.state = await this.resource.create(client, inputs);
    } catch (error) {
      if (error instanceof InitFailedError) {
        this.state = { id: error.id, properties: error.properties };
      }
      throw error;
    }
  }

  async refresh(client: Client, inputs: Properties): Promise<void> {
    if (!this.state) return;
    this.state = await this.resource.read(client, this.state.id, { ...this.state, inputs });
  }

  async destroy(client: Client): Promise<void> {
    if (this.state) await this.resource.delete(client, this.state);
    this.state = undefined;
  }
}

const once: [string, Partial<Fault>][] = [
  ["a connection that breaks before the server acts", { kind: "reset", when: "before" }],
  ["a connection that breaks after the server acted", { kind: "reset", when: "after" }],
  ["an expired token", { kind: "expired-token" }],
  ["429", { kind: "too-many-requests" }],
  ["503 before the server acts", { kind: "service-unavailable", when: "before" }],
  ["503 after the server acted", { kind: "service-unavailable", when: "after" }],
  ["500 after the server acted", { kind: "internal-error", when: "after" }],
  ["408", { kind: "request-timeout" }],
  ["an answer that comes too late", { kind: "delay", milliseconds: 450, when: "after" }],
];
// From that call on until the user tries again.
const lasting: [string, Partial<Fault>][] = [
  ["connections that break before the server acts", { kind: "reset", when: "before", count: null }],
  ["connections that break after the server acted", { kind: "reset", when: "after", count: null }],
  ["503 after the server acted", { kind: "service-unavailable", when: "after", count: null }],
];

interface Scenario {
  name: string;
  resource: Resource;
  /** Brings the stack to where the operation begins. */
  prepare?: (stack: Stack, client: Client, name: string) => Promise<void>;
  run: (stack: Stack, client: Client, name: string) => Promise<void>;
  /** What must be true in the end. */
  check: (stack: Stack, client: Client, name: string) => Promise<void>;
}

const bucketInputs = (bucketName: string): Properties => ({
  bucketName,
  bucketType: "allPrivate",
  bucketInfo: { a: "1" },
  lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: 30 }],
});
const lockedInputs = (name: string): Properties => ({
  ...bucketInputs(name),
  fileLockConfigurations: [
    {
      isFileLockEnabled: true,
      defaultRetention: { mode: "governance", period: { duration: 1, unit: "days" } },
    },
  ],
});
const changedInputs = (name: string): Properties => ({
  ...bucketInputs(name),
  lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: 7 }],
});
const keyInputs = (keyName: string): Properties => ({
  keyName,
  capabilities: ["listFiles", "readFiles"],
});

const isAsWished = (inputs: (name: string) => Properties): Scenario["check"] =>
  async function (stack, client, name) {
    const bucket = await findBucket(client, { bucketName: name });
    expect(bucket?.bucketId).toBe(stack.state?.id);
    const read = await bucketResource.read(client, stack.state?.id ?? "");
    expect(read).toBeDefined();
    if (read) expect(bucketResource.diff(read, inputs(name)).differences).toEqual([]);
  };

async function keysNamed(client: Client, name: string): Promise<string[]> {
  return (await listKeys(client))
    .filter(({ keyName }) => keyName === name)
    .map(({ applicationKeyId }) => applicationKeyId);
}

const scenarios: Scenario[] = [
  {
    name: "creating a bucket",
    resource: bucketResource,
    run: (stack, client, name) => stack.up(client, bucketInputs(name)),
    check: isAsWished(bucketInputs),
  },
  {
    name: "creating a bucket with default retention",
    resource: bucketResource,
    run: (stack, client, name) => stack.up(client, lockedInputs(name)),
    check: isAsWished(lockedInputs),
  },
  {
    name: "updating a bucket",
    resource: bucketResource,
    prepare: (stack, client, name) => stack.up(client, bucketInputs(name)),
    run: (stack, client, name) => stack.up(client, changedInputs(name)),
    check: isAsWished(changedInputs),
  },
  {
    name: "refreshing a bucket",
    resource: bucketResource,
    prepare: (stack, client, name) => stack.up(client, bucketInputs(name)),
    run: (stack, client, name) => stack.refresh(client, bucketInputs(name)),
    check: isAsWished(bucketInputs),
  },
  {
    name: "deleting a bucket",
    resource: bucketResource,
    prepare: (stack, client, name) => stack.up(client, bucketInputs(name)),
    run: (stack, client) => stack.destroy(client),
    async check(_stack, client, name) {
      expect(await findBucket(client, { bucketName: name })).toBeUndefined();
    },
  },
  {
    name: "creating a key",
    resource: applicationKeyResource,
    run: (stack, client, name) => stack.up(client, keyInputs(name)),
    async check(stack, client, name) {
      expect(await keysNamed(client, name)).toEqual([stack.state?.id]);
      // The secret in the state is that of the key that is left.
      const own = new B2Client({
        applicationKeyId: stack.state?.id ?? "",
        applicationKey: stack.state?.properties.applicationKey as string,
        endpoint: world.emulator.url,
      });
      await expect(own.authorize()).resolves.toBeDefined();
      await own.close();
    },
  },
  {
    name: "creating a key beside one of the same name and kind",
    resource: applicationKeyResource,
    prepare: async (_stack, client, name) => {
      await applicationKeyResource.create(client, keyInputs(name));
    },
    run: (stack, client, name) => stack.up(client, keyInputs(name)),
    async check(stack, client, name) {
      const ids = await keysNamed(client, name);
      expect(ids).toHaveLength(2);
      expect(ids).toContain(stack.state?.id);
    },
  },
  {
    name: "refreshing a key",
    resource: applicationKeyResource,
    prepare: (stack, client, name) => stack.up(client, keyInputs(name)),
    run: (stack, client, name) => stack.refresh(client, keyInputs(name)),
    async check(stack, client, name) {
      expect(await keysNamed(client, name)).toEqual([stack.state?.id]);
      expect(stack.state?.properties.applicationKey).toMatch(/^K005/);
    },
  },
  {
    name: "deleting a key",
    resource: applicationKeyResource,
    prepare: (stack, client, name) => stack.up(client, keyInputs(name)),
    run: (stack, client) => stack.destroy(client),
    async check(_stack, client, name) {
      expect(await keysNamed(client, name)).toEqual([]);
    },
  },
];

const shortTimeouts = { connect: 1_000, answer: 150 };

async function callsOf(scenario: Scenario): Promise<string[]> {
  const name = `count-${++serial}`;
  const stack = new Stack(scenario.resource);
  await scenario.prepare?.(stack, world.client(), name);
  const transport = counting();
  await scenario.run(stack, world.client({ transport }), name);
  await stack.destroy(world.client());
  return transport.operations;
}

for (const scenario of scenarios) {
  describe(scenario.name, () => {
    it.each(once)("comes to the same with %s at any call", async (_title, fault) => {
      const calls = await callsOf(scenario);
      expect(calls.length).toBeGreaterThan(1);
      for (const skip of calls.keys()) {
        const name = `fault-${++serial}`;
        const stack = new Stack(scenario.resource);
        await scenario.prepare?.(stack, world.client(), name);
        world.emulator.faults.add({ kind: "reset", ...fault, skip });
        // A process of its own: authorised by its first call.
        const client = world.client({ transport: httpTransport(shortTimeouts) });
        await scenario.run(stack, client, name);
        expect(world.emulator.faults.list()).toEqual([]);
        await scenario.check(stack, world.client(), name);
        // The account may have 100 buckets.
        await stack.destroy(world.client());
      }
    });

    it.each(lasting)(
      "loses and duplicates nothing when the user tries again after %s from any call on",
      async (_title, fault) => {
        const calls = await callsOf(scenario);
        for (const skip of calls.keys()) {
          const name = `lasting-${++serial}`;
          const stack = new Stack(scenario.resource);
          await scenario.prepare?.(stack, world.client(), name);
          world.emulator.faults.add({ kind: "reset", ...fault, skip });
          // It may end well all the same: a delete that finds the bucket gone has done its work.
          await scenario.run(stack, world.client(), name).catch(() => undefined);
          world.emulator.faults.clear();
          await scenario.run(stack, world.client(), name);
          await scenario.check(stack, world.client(), name);
          await stack.destroy(world.client());
        }
      },
    );
  });
}

it("takes up a bucket whose creation was lost when the stack is refreshed", async () => {
  const name = `adopt-${++serial}`;
  const stack = new Stack(bucketResource);
  world.emulator.faults.add({ kind: "reset", when: "after", skip: 2, count: null });
  await expect(stack.up(world.client(), bucketInputs(name))).rejects.toThrow(/not known/);
  world.emulator.faults.clear();
  expect(stack.state?.id).toBe(`unresolved:${name}`);
  await stack.refresh(world.client(), bucketInputs(name));
  await isAsWished(bucketInputs)(stack, world.client(), name);
  await stack.destroy(world.client());
});

it("deletes a key whose creation was lost when the stack is destroyed", async () => {
  const name = `lost-${++serial}`;
  const stack = new Stack(applicationKeyResource);
  world.emulator.faults.add({ kind: "reset", when: "after", skip: 2, count: null });
  await expect(stack.up(world.client(), keyInputs(name))).rejects.toThrow(/not known/);
  world.emulator.faults.clear();
  expect(await keysNamed(world.client(), name)).toHaveLength(1);
  await stack.destroy(world.client());
  expect(await keysNamed(world.client(), name)).toEqual([]);
});
