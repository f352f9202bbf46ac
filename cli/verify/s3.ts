/** A bucket at any S3 as it is now: the keys, what protects what is there, what is in it. */
import type { S3Key, S3TargetConfig, TargetSecrets } from "../../config/stack.ts";
import { isPlainAndFar } from "../../config/targets/s3.ts";
import { nextKey } from "../../config/targets/secrets.ts";
import { counted } from "../../hub/format.ts";
import { b2Transport } from "../../hub/targets/b2-transport.ts";
import { tryS3Keys, type S3Facts } from "../../hub/targets/s3-canary.ts";
import { S3Client } from "../../hub/targets/s3-client.ts";
import type { S3CanaryKey } from "../../hub/targets/s3-keys.ts";
import type { Transport } from "../../sdks/b2/client/transport.ts";
import { interruption } from "../interruption.ts";
import { Skipped, type Check, type Checks } from "./checks.ts";
import type { TargetOptions } from "./options.ts";
import { judgeSnapshots } from "./snapshots.ts";
import { listS3Snapshots } from "./s3-snapshots.ts";

/** What is known of an s3 target. */
export interface S3Options extends TargetOptions {
  readonly target: S3TargetConfig;
  /** The keys, as the settings have them. */
  readonly secrets: TargetSecrets;
}

/** Makes the checks of an s3 target. */
export async function verifyS3(options: S3Options, checks: Checks): Promise<void> {
  const transport = b2Transport();
  try {
    await new Verification(options, checks, transport).run();
  } finally {
    await transport.close();
  }
}

class Verification {
  readonly #options: S3Options;
  readonly #checks: Checks;
  readonly #transport: Transport;
  readonly #below: readonly string[];
  #accepted: S3CanaryKey[] = [];

  constructor(options: S3Options, checks: Checks, transport: Transport) {
    this.#options = options;
    this.#checks = checks;
    this.#transport = transport;
    this.#below = options.target.prefix?.split("/") ?? [];
  }

  async run(): Promise<void> {
    const { target } = this.#options;
    await this.#checks.make("keys", (check) => this.#keys(check));
    await this.#checks.make("protection", async (check) => {
      if (isPlainAndFar(target.endpoint)) {
        check.notice(
          `the endpoint ${target.endpoint} is not encrypted: use https://, or reach it through a tunnel`,
        );
      }
      const sync = this.#accepted.find(({ purpose }) => purpose === "sync");
      if (sync === undefined) throw new Skipped("no key that may write");
      const report = { errors: [] as string[], notices: [] as string[] };
      const place = { bucket: target.bucket, below: this.#below };
      const facts = await tryS3Keys(
        { sync, keys: this.#accepted, place, report },
        { target: this.#options.name, protection: target.protection },
      );
      for (const error of report.errors) check.error(error);
      for (const notice of report.notices) check.notice(notice);
      return seen(facts);
    });
    await this.#checks.make("snapshots", (check) => this.#snapshots(check));
  }

  async #keys(check: Check): Promise<string> {
    const { name, target, secrets } = this.#options;
    const all: readonly (readonly [string, S3CanaryKey["purpose"], S3Key | undefined])[] = [
      ["sync", "sync", secrets.sync],
      ["syncNext", "sync", nextKey(secrets)],
      ["restore", "restore", secrets.restore],
    ];
    for (const [role, purpose, key] of all) {
      if (key === undefined) continue;
      const called = `the key targetSecrets.${name}.${role}`;
      const client = new S3Client(sectionOf(target, key), target.bucket, this.#transport);
      const query = { "list-type": "2", "max-keys": "1" };
      const { status, code } = await client.call({ method: "GET", query }, interruption);
      if (status < 400) this.#accepted.push({ called, purpose, client });
      else {
        check.error(
          `${called} cannot list the bucket "${target.bucket}" at ${target.endpoint} (${status} ${code}): it was taken away, or lacks s3:ListBucket. Put a good one into the settings, run pulumi up, and deploy who holds it`,
        );
      }
    }
    return `${counted(this.#accepted.length, "key")} accepted`;
  }

  async #snapshots(check: Check): Promise<string> {
    const [reader] = this.#accepted.toReversed();
    if (reader === undefined) throw new Skipped("no key that may list");
    const { hosts, maxAgeHours } = this.#options;
    const names = Object.keys(hosts);
    const found = await listS3Snapshots(reader.client, this.#below, names);
    const { reports, seen } = judgeSnapshots(names, found, { maxAgeHours, now: Date.now() }, check);
    Object.assign(this.#checks.hosts, reports);
    return seen;
  }
}

/** A key, as an rclone remote has it. */
export function sectionOf(
  { endpoint, region }: { readonly endpoint: string; readonly region: string },
  key: S3Key,
): Record<string, string> {
  return {
    type: "s3",
    endpoint,
    region,
    access_key_id: key.accessKeyId,
    secret_access_key: key.secretAccessKey,
  };
}

function seen({ versioning, lock, encryption, kept }: S3Facts): string {
  const words = [`versioning ${versioning ?? "not to be seen"}`];
  words.push(
    lock === undefined ? "no object lock seen" : `object lock ${lock.time} (${lock.mode})`,
  );
  if (encryption !== undefined) words.push(`encrypted at rest (${encryption})`);
  words.push(kept === "none" ? "a thief can destroy" : "the hub's key destroys nothing");
  return words.join(", ");
}
