/** An R2 target as it is now: the bucket's rules, its tokens, who else has one, what is in it. */
import { z } from "zod";
import type { R2TargetConfig } from "../../config/stack.ts";
import { keyName } from "../../credentials/names.ts";
import {
  R2_PERMISSIONS,
  r2Credentials,
  r2Endpoint,
  r2Keys,
  r2Resource,
  type R2Record,
} from "../../credentials/r2-keys.ts";
import { counted, excerpt } from "../../hub/format.ts";
import { b2Transport } from "../../hub/targets/b2-transport.ts";
import { tryR2Keys } from "../../hub/targets/r2-canary.ts";
import { S3Client } from "../../hub/targets/s3-client.ts";
import type { S3CanaryKey } from "../../hub/targets/s3-keys.ts";
import type { Transport } from "../../sdks/b2/client/transport.ts";
import { interruption } from "../interruption.ts";
import type { StateResource } from "../stack.ts";
import { Skipped, type Check, type Checks } from "./checks.ts";
import type { TargetOptions } from "./options.ts";
import { R2Api, type ApiToken } from "./r2-api.ts";
import { sectionOf } from "./s3.ts";
import { listS3Snapshots } from "./s3-snapshots.ts";
import { judgeSnapshots } from "./snapshots.ts";

/** What is known of an R2 target. */
export interface R2Options extends TargetOptions {
  readonly target: R2TargetConfig;
  readonly record: R2Record | undefined;
  /** The resources of the target. */
  readonly resources: readonly StateResource[];
  /** The operator's own token; undefined where there is none. Secret. */
  readonly token: string | undefined;
  /** Ids of other tokens that may reach the bucket. */
  readonly knownKeys: readonly string[];
}

const REMEDY = "Run pulumi up --refresh";

const DAY_SECONDS = 86_400;

/** Makes the checks of an R2 target. */
export async function verifyR2(options: R2Options, checks: Checks): Promise<void> {
  const transport = b2Transport();
  try {
    await new Verification(options, checks, transport).run();
  } finally {
    await transport.close();
  }
}

const tokenState = z.object({ name: z.string(), value: z.string().default("") });

/** A token of the stack. */
interface StackToken {
  readonly id: string;
  readonly name: string;
  /** Secret. */
  readonly value: string;
  readonly purpose: "sync" | "restore" | undefined;
  readonly host: string | undefined;
}

class Verification {
  readonly #options: R2Options;
  readonly #checks: Checks;
  readonly #transport: Transport;
  readonly #api: R2Api | undefined;
  readonly #tokens: readonly StackToken[];
  #accepted: (S3CanaryKey & { host: string | undefined })[] = [];

  constructor(options: R2Options, checks: Checks, transport: Transport) {
    const { token, target } = options;
    this.#options = options;
    this.#checks = checks;
    this.#transport = transport;
    this.#api =
      token === undefined ? undefined : new R2Api(token, target.accountId, target.jurisdiction);
    this.#tokens = stackTokens(options);
  }

  async run(): Promise<void> {
    const { bucket, keepHiddenDays } = this.#options.target;
    await this.#checks.make("settings", (check) => this.#settings(this.#mustAsk(), check));
    await this.#checks.make("tokens", (check) => this.#judgeTokens(this.#mustAsk(), check));
    await this.#checks.make("keys", (check) => this.#keys(check));
    await this.#checks.make("append-only", async (check) => {
      const keys = this.#accepted.filter(({ host }) => host === undefined);
      const sync = keys.find(({ purpose }) => purpose === "sync");
      if (sync === undefined) throw new Skipped("no key that may write");
      const report = { errors: [] as string[], notices: [] as string[] };
      await tryR2Keys({ sync, keys, place: { bucket, below: [] }, report }, keepHiddenDays);
      for (const error of report.errors) check.error(error);
      for (const notice of report.notices) check.notice(notice);
      return "deleting, overwriting and strangers are refused";
    });
    await this.#checks.make("snapshots", (check) => this.#snapshots(check));
  }

  #mustAsk(): R2Api {
    if (this.#api !== undefined) return this.#api;
    throw new Error(
      "there is no token of yours to ask Cloudflare with. Set CLOUDFLARE_API_TOKEN (docs/targets/r2.md), as for pulumi up",
    );
  }

  async #settings(api: R2Api, check: Check): Promise<string> {
    const { bucket, keepHiddenDays: days } = this.#options.target;
    const { rules } = await api.lock(bucket);
    const keeps = rules?.some(({ enabled, prefix, condition }) => {
      if (!enabled || (prefix ?? "") !== "") return false;
      if (condition.type === "Indefinite") return true;
      const seconds = condition.type === "Age" ? (condition.maxAgeSeconds ?? 0) : 0;
      return days !== "forever" && seconds >= days * DAY_SECONDS;
    });
    const time = days === "forever" ? "for ever" : `for ${days} days`;
    if (keeps !== true) {
      check.error(
        `no lock rule of the bucket "${bucket}" keeps its objects ${time}: whoever has the hub's key can destroy them. ${REMEDY}`,
      );
    }
    for (const rule of (await api.lifecycle(bucket)).rules ?? []) {
      if (!rule.enabled || rule.deleteObjectsTransition == null) continue;
      check.error(
        `the lifecycle rule "${excerpt(rule.id)}" of the bucket "${bucket}" deletes objects, which the stack does not set: backups go as soon as no lock keeps them. ${REMEDY}`,
      );
    }
    for (const domain of await api.publicDomains(bucket)) {
      check.error(
        `anybody can read the bucket "${bucket}" at ${excerpt(domain)}. Take the public address away at Cloudflare, in the bucket's settings`,
      );
    }
    return `private, objects are kept ${time}`;
  }

  async #judgeTokens(api: R2Api, check: Check): Promise<string> {
    const { target, stack, name, knownKeys } = this.#options;
    const resource = r2Resource(target.accountId, target.jurisdiction, target.bucket);
    const listed = await api.tokens();
    const own = new Map(this.#tokens.map((token) => [token.id, token]));
    for (const token of this.#tokens) {
      const there = listed.find(({ id }) => id === token.id);
      if (there === undefined) {
        check.error(
          `the API token "${token.name}" (${token.id}) is no longer there: whoever holds it is shut out. ${REMEDY}, and deploy who holds it`,
        );
      } else judgeToken(there, token, resource, check);
    }
    const known = new Set(knownKeys);
    const strangers = listed.filter(
      ({ id, status, policies }) =>
        status !== "disabled" &&
        status !== "expired" &&
        !own.has(id) &&
        !known.has(id) &&
        policies.some(({ effect, resources }) => effect === "allow" && resource in resources),
    );
    const prefix = keyName({ stack, target: name, purpose: "sync" }, 1).slice(0, -"sync-g1".length);
    for (const { id, name: given } of strangers) {
      const whose = given.startsWith(prefix)
        ? "has a name like the stack's own, and the stack does not keep it (any more)"
        : "is not the stack's";
      check.error(
        `the API token "${excerpt(given)}" (${excerpt(id)}) reaches the bucket "${target.bucket}" and ${whose}. If it is nobody's whom you trust, delete it at Cloudflare under Manage Account, API Tokens. If you know it: --known-key ${excerpt(id)}`,
      );
    }
    check.notice(
      "tokens for all of the account's buckets, and those of its users, are not looked at: see the dashboard under R2, Manage API tokens",
    );
    return `${counted(this.#tokens.length, "token")} of the stack, ${counted(strangers.length, "stranger")}`;
  }

  /** Which of the stack's tokens the S3 API accepts. */
  async #keys(check: Check): Promise<string> {
    const { target } = this.#options;
    const endpoint = target.endpoint ?? r2Endpoint(target.accountId, target.jurisdiction);
    for (const { id, name, value, purpose, host } of this.#tokens) {
      if (purpose === undefined) continue;
      const key = r2Credentials({ id, value });
      const section = sectionOf({ endpoint, region: "auto" }, key);
      const client = new S3Client(section, target.bucket, this.#transport);
      const query = { "list-type": "2", "max-keys": "1" };
      const { status, code } = await client.call({ method: "GET", query }, interruption);
      if (status < 400) this.#accepted.push({ called: `the key "${name}"`, purpose, client, host });
      else {
        check.error(
          `the key "${name}" (${id}) is refused by R2 (${status} ${code}): whoever holds it is shut out. ${REMEDY}, and deploy who holds it`,
        );
      }
    }
    return `${counted(this.#accepted.length, "key")} accepted`;
  }

  async #snapshots(check: Check): Promise<string> {
    const reader = this.#accepted.find(({ host }) => host === undefined);
    if (reader === undefined) throw new Skipped("no key that may list");
    const { hosts, maxAgeHours } = this.#options;
    const names = Object.keys(hosts);
    const found = await listS3Snapshots(reader.client, [], names);
    const { reports, seen } = judgeSnapshots(names, found, { maxAgeHours, now: Date.now() }, check);
    Object.assign(this.#checks.hosts, reports);
    return seen;
  }
}

/** The tokens of the state, each with what it is for. */
function stackTokens({ stack, name, target, hosts, record, resources }: R2Options): StackToken[] {
  const { keys } = r2Keys({ target, hosts, before: record });
  const byName = new Map(
    keys.map((key) => {
      const { purpose, host, generation } = key;
      const owner = { stack, target: name, purpose, ...(host !== undefined && { host }) };
      return [keyName(owner, generation), key];
    }),
  );
  return resources
    .filter(({ type, delete: isDoomed }) => type.endsWith(":AccountToken") && isDoomed !== true)
    .flatMap(({ id = "", outputs }) => {
      const { data } = tokenState.safeParse(outputs);
      if (data === undefined) return [];
      const expected = byName.get(data.name);
      return [{ id, ...data, purpose: expected?.purpose, host: expected?.host }];
    });
}

/** What a token may do and reach, against what it must. */
function judgeToken(
  { policies }: ApiToken,
  { id, name, purpose }: StackToken,
  resource: string,
  check: Check,
): void {
  const called = `the API token "${name}" (${id})`;
  const allowed = policies.filter(({ effect }) => effect === "allow");
  const reach = [...new Set(allowed.flatMap(({ resources }) => Object.keys(resources)))];
  if (reach.some((each) => each !== resource) || reach.length === 0) {
    check.error(
      `${called} reaches ${excerpt(reach.join(", ")) || "nothing"}, and must reach the target's bucket alone. ${REMEDY}`,
    );
  }
  const groups = allowed.flatMap(({ permission_groups }) => permission_groups);
  const extra = groups.filter(
    (group) => purpose !== undefined && group.id !== R2_PERMISSIONS[purpose],
  );
  if (extra.length > 0) {
    const what = extra.map((group) => excerpt(group.name ?? group.id)).join(", ");
    check.error(`${called} may do more than it must: ${what}. ${REMEDY}`);
  }
}
