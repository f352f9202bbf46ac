/** A B2 target as it is now: the bucket, its keys, who else has one, what is in it. */
import pLimit from "p-limit";
import { z } from "zod";
import type { B2Record } from "../../credentials/b2-keys.ts";
import { keyName } from "../../credentials/names.ts";
import type { B2TargetConfig } from "../../config/stack.ts";
import { B2Account } from "../../hub/targets/b2-account.ts";
import { tryB2Keys, type B2CanaryKey } from "../../hub/targets/b2-canary.ts";
import { b2Transport } from "../../hub/targets/b2-transport.ts";
import { counted } from "../../hub/format.ts";
import { findBucket } from "../../sdks/b2/client/buckets.ts";
import { StopError } from "../../hub/targets/target.ts";
import { Client, endpointUrl, type Credentials } from "../../sdks/b2/client/client.ts";
import { ConnectionError } from "../../sdks/b2/client/errors.ts";
import { listKeys } from "../../sdks/b2/client/keys.ts";
import type { Transport } from "../../sdks/b2/client/transport.ts";
import type { Bucket, Key } from "../../sdks/b2/client/types.ts";
import { interruption } from "../interruption.ts";
import type { StateResource } from "../stack.ts";
import {
  expectedKeys,
  judgeEnds,
  judgeKey,
  judgeStrangers,
  stackKeys,
  type ExpectedKey,
  type StackKey,
} from "./b2-keys.ts";
import { judgeSettings } from "./b2-settings.ts";
import { listSnapshots } from "./b2-snapshots.ts";
import { Skipped, type Check, type Checks } from "./checks.ts";
import type { TargetOptions } from "./options.ts";
import { judgeSnapshots } from "./snapshots.ts";

/** What is known of a B2 target. */
export interface B2Options extends TargetOptions {
  readonly target: B2TargetConfig;
  readonly record: B2Record | undefined;
  /** The resources of the target. */
  readonly resources: readonly StateResource[];
  /** The operator's own key. */
  readonly operator: Credentials;
  /** Ids of other keys that may reach the bucket. */
  readonly knownKeys: readonly string[];
}

const bucketState = z.object({ bucketId: z.string().optional() });

const ATTEMPTS = 3;
const IN_FLIGHT = 8;

/** Looks at all of it. */
export async function verifyB2(options: B2Options, checks: Checks): Promise<void> {
  const inner = b2Transport();
  const transport: Transport = {
    send: (request, signal) => inner.send(request, signal ?? interruption),
    close: () => inner.close(),
  };
  const client = new Client(options.operator, { transport, attempts: ATTEMPTS });
  const cancel = () => client.cancel();
  interruption.addEventListener("abort", cancel);
  try {
    await new B2Verification(options, checks, client, transport).run();
  } finally {
    interruption.removeEventListener("abort", cancel);
    await transport.close();
  }
}

/** A key of the stack that the service accepts. */
interface Accepted extends B2CanaryKey {
  readonly key: StackKey;
}

class B2Verification {
  readonly #options: B2Options;
  readonly #checks: Checks;
  readonly #client: Client;
  readonly #transport: Transport;
  readonly #expected: readonly ExpectedKey[];
  readonly #keys: readonly StackKey[];
  #listed: Key[] | undefined;
  #accepted: readonly Accepted[] = [];
  #bucket: Bucket | undefined;
  #isReached = true;

  constructor(options: B2Options, checks: Checks, client: Client, transport: Transport) {
    this.#options = options;
    this.#checks = checks;
    this.#client = client;
    this.#transport = transport;
    const { stack, name, target, hosts, record } = options;
    this.#expected = expectedKeys({ stack, target: name }, { target, hosts }, record);
    this.#keys = stackKeys(options.resources, this.#expected);
  }

  async run(): Promise<void> {
    const checks = this.#checks;
    const isIn = await checks.make("account", () => this.#account());
    // Every other call would wait as long for nothing.
    if (!this.#isReached) {
      await this.#skipAll();
      return;
    }
    await this.#tryKeys();
    const isThere = await checks.make("bucket", () => this.#findBucket(isIn));
    await checks.make("settings", (check) => {
      if (this.#bucket === undefined) throw new Skipped("no bucket to look at");
      return judgeSettings(this.#bucket, this.#options.target.keepHiddenDays, check);
    });
    await checks.make("keys", (check) => this.#judgeKeys(check));
    await checks.make("strangers", (check) => this.#strangers(check));
    await checks.make("append-only", (check) => this.#appendOnly(check, isThere));
    await checks.make("snapshots", (check) => this.#snapshots(check));
  }

  async #skipAll(): Promise<void> {
    for (const name of ["bucket", "settings", "keys", "strangers", "append-only", "snapshots"]) {
      await this.#checks.make(name, () => {
        throw new Skipped("B2 is not reached");
      });
    }
  }

  async #account(): Promise<string> {
    try {
      await this.#client.authorize();
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#isReached = false;
      const remedy = "Is this machine online? How B2 is: status.backblaze.com";
      throw new StopError("target", `${error.message}. ${remedy}`);
    }
    this.#listed = await listKeys(this.#client);
    return `the operator's key is accepted at ${new URL(endpointUrl(this.#options.operator.endpoint)).host}`;
  }

  /** Which keys of the stack the service accepts; the check of them says what it thinks of them. */
  async #tryKeys(): Promise<void> {
    const limit = pLimit(IN_FLIGHT);
    const endpoint = this.#options.target.endpoint ?? "";
    const tried = this.#keys
      .filter(({ isDoomed }) => !isDoomed)
      .map((key) =>
        limit(async (): Promise<Accepted[]> => {
          const section = { account: key.id, key: key.secret, endpoint };
          const account = new B2Account(section, this.#transport);
          try {
            if ((await account.authorize()) === undefined) return [];
          } catch {
            // The check of the keys asks again, and says what is wrong.
            interruption.throwIfAborted();
          }
          const purpose = key.expected?.purpose ?? "monitor";
          return [{ key, called: `the key "${key.name}" (${key.id})`, purpose, account }];
        }),
      );
    this.#accepted = (await Promise.all(tried)).flat();
  }

  async #findBucket(isIn: boolean): Promise<string> {
    const { target, resources } = this.#options;
    const { bucket: bucketName } = target;
    const sync = this.#accepted.find(({ purpose }) => purpose === "sync");
    if (isIn) this.#bucket = await findBucket(this.#client, { bucketName });
    else if (sync !== undefined) this.#bucket = await sync.account.bucket(bucketName);
    else throw new Skipped("no key that could look at it");
    const state = resources.find(({ type }) => type === "b2:index/bucket:Bucket");
    if (this.#bucket === undefined) {
      throw new Error(
        `there is no bucket "${bucketName}" in this account. Is it the right account? If the bucket was deleted, pulumi up --refresh makes an empty one: then mirror again at the hub`,
      );
    }
    const { bucketId: id } = bucketState.parse(state?.outputs ?? {});
    if (id !== this.#bucket.bucketId) {
      throw new Error(
        id === undefined
          ? `the state knows no bucket "${bucketName}", and there is one (${this.#bucket.bucketId}). Tell Pulumi of it: offsite recover`
          : `the bucket "${bucketName}" (${this.#bucket.bucketId}) is not the one that the stack made (${id}): that one was deleted. Run pulumi up --refresh, and mirror again at the hub`,
      );
    }
    return bucketName;
  }

  async #judgeKeys(check: Check): Promise<string> {
    const bucketId = this.#bucket?.bucketId;
    if (bucketId === undefined) throw new Skipped("no bucket that they could reach");
    const { name, target } = this.#options;
    const accepted = new Map(this.#accepted.map((each) => [each.key.id, each]));
    for (const key of this.#keys) {
      const called = `the key "${key.name}" (${key.id})`;
      const one = accepted.get(key.id);
      const authorization = await one?.account.authorize();
      if (key.isDoomed) {
        check.error(
          `${called} was replaced, and the last update could not delete it. Run pulumi up`,
        );
      } else if (authorization === undefined) {
        check.error(
          `${called} is refused: it was deleted, or has ended. Make it anew with pulumi up --refresh, and deploy ${key.expected?.host ?? "the hub"}`,
        );
      } else judgeKey(key, authorization, bucketId, check);
    }
    const names = new Set(this.#keys.map((key) => key.name));
    for (const { name: missing } of this.#expected.filter((key) => !names.has(key.name))) {
      check.error(`the stack has no key "${missing}". Run pulumi up, and deploy who is to hold it`);
    }
    for (const { name: other, id } of this.#keys.filter((key) => key.expected === undefined)) {
      check.notice(
        `the key "${other}" (${id}) is of an update that did not get through. Run pulumi up`,
      );
    }
    if (this.#listed !== undefined) {
      const ends = { keyDays: target.keyDays, target: name, now: Date.now() };
      judgeEnds(this.#keys, this.#listed, ends, check);
    }
    return `${counted(accepted.size, "key")} accepted`;
  }

  #strangers(check: Check): string {
    const bucketId = this.#bucket?.bucketId;
    if (bucketId === undefined || this.#listed === undefined) {
      throw new Skipped("no list of the keys without the operator's own");
    }
    const { stack, name, operator, knownKeys } = this.#options;
    const own = this.#keys.map(({ id }) => id);
    const sample = keyName({ stack, target: name, purpose: "sync" }, 1);
    const count = judgeStrangers(
      this.#listed,
      {
        bucketId,
        known: new Set([...own, operator.applicationKeyId, ...knownKeys]),
        prefix: sample.slice(0, -"sync-g1".length),
        now: Date.now(),
      },
      check,
    );
    return count === 0 ? "nobody else's key reaches the bucket" : counted(count, "stranger");
  }

  async #appendOnly(check: Check, isThere: boolean): Promise<string> {
    const keys = this.#accepted.filter(({ key }) => key.expected?.host === undefined);
    const sync = keys.find(({ purpose }) => purpose === "sync");
    if (!isThere || this.#bucket === undefined) throw new Skipped("no bucket to try it on");
    if (sync === undefined) throw new Skipped("no key that may write");
    const { bucketId } = this.#bucket;
    const report = { errors: [] as string[], notices: [] as string[] };
    for (const { called, account } of keys) {
      if (await account.mayChange(bucketId)) {
        check.error(
          `${called} could change the bucket's settings, and with them what is kept. Make it anew with pulumi up --refresh`,
        );
      }
    }
    const place = { bucketId, bucketName: this.#bucket.bucketName, below: [] };
    await tryB2Keys(sync, keys, place, report);
    for (const error of report.errors) check.error(error);
    for (const notice of report.notices) check.notice(notice);
    return "deleting, changing and strangers are refused";
  }

  async #snapshots(check: Check): Promise<string> {
    const bucketId = this.#bucket?.bucketId;
    const reader =
      this.#accepted.find(({ purpose }) => purpose === "monitor") ??
      this.#accepted.find(({ key }) => key.expected?.host === undefined);
    if (bucketId === undefined || reader === undefined) throw new Skipped("no key that may list");
    const { hosts, maxAgeHours } = this.#options;
    const names = Object.keys(hosts);
    const { found, hidden } = await listSnapshots(reader.account, bucketId, names);
    for (const host of hidden) {
      check.error(
        `all snapshots of ${host} there are hidden: somebody removed them. For ${this.#options.target.keepHiddenDays} days from then they can be brought back: see at the hub offsite-hub drill --thief`,
      );
    }
    const { reports, seen } = judgeSnapshots(names, found, { maxAgeHours, now: Date.now() }, check);
    Object.assign(this.#checks.hosts, reports);
    return seen;
  }
}
