import * as b2 from "@pulumi/b2";
import * as pulumi from "@pulumi/pulumi";
import { UNFINISHED_DAYS } from "../config/lifecycle.ts";
import type { HubCredentials, TargetManifest } from "../config/manifest.ts";
import type { TargetRecord } from "../config/record.ts";
import type { B2TargetConfig } from "../config/stack.ts";
import { B2_CAPABILITIES } from "../credentials/b2-capabilities.ts";
import { b2Keys, type B2Key } from "../credentials/b2-keys.ts";
import { jointGeneration } from "../credentials/derive.ts";
import type { EnvLine } from "../credentials/env-file.ts";
import { keyName } from "../credentials/names.ts";
import type { RcloneRemote } from "../credentials/rclone-conf.ts";
import { cloudTurns } from "./cloud-turns.ts";
import { plainError } from "./errors.ts";
import {
  forEachHost,
  hostOf,
  publicInputs,
  type OffsiteTarget,
  type TargetContext,
} from "./target.ts";

/** The settings of a {@link B2Target}. */
export interface B2TargetArgs extends TargetContext {
  readonly target: B2TargetConfig;
}

const DAY_SECONDS = 86_400;

/**
 * A private, encrypted bucket at Backblaze B2 and the keys of those who use it: the hub's for
 * syncing, restoring and monitoring, and for each host one that reads that host's repository alone.
 */
export class B2Target extends pulumi.ComponentResource implements OffsiteTarget {
  readonly targetName: string;
  readonly manifest: TargetManifest;
  readonly hubCredentials: pulumi.Output<HubCredentials["targets"][string]>;
  readonly rcloneRemotes: pulumi.Output<RcloneRemote[]>;
  readonly record: pulumi.Output<TargetRecord>;
  readonly #target: B2TargetConfig;
  readonly #hostKeys: Readonly<Record<string, b2.ApplicationKey>>;

  constructor(name: string, args: B2TargetArgs, opts?: pulumi.ComponentResourceOptions) {
    const { target } = args;
    const remotes = {
      current: name,
      next: `${name}-next`,
      restore: `${name}-restore`,
      monitor: `${name}-monitor`,
    };
    const manifest: TargetManifest = {
      type: "b2",
      bucket: target.bucket,
      remote: remotes.current,
      path: target.bucket,
      keepHiddenDays: target.keepHiddenDays,
      repositories: forEachHost(args.hosts, (host) => `rclone:${name}:${target.bucket}/${host}`),
    };
    super("fort-offsite:index:B2Target", name, publicInputs(manifest), opts);
    this.targetName = name;
    this.manifest = manifest;
    this.#target = target;

    const bucket = this.#newBucket(name, target);
    const { keys, record } = b2Keys({ target, hosts: args.hosts, ...cloudTurns(name, "b2", args) });
    const made = keys.map((key) => ({ ...key, key: this.#newKey(name, args, bucket, key) }));
    const keyOf = (
      purpose: B2Key["purpose"],
      generation: number,
      host?: string,
    ): b2.ApplicationKey => {
      const found = made.find(
        (each) => each.purpose === purpose && each.generation === generation && each.host === host,
      );
      if (found === undefined) throw new RangeError(`There is no key ${purpose}-g${generation}`);
      return found.key;
    };
    const { generation } = target;
    this.#hostKeys = forEachHost(args.hosts, (host) =>
      keyOf("restore", jointGeneration(hostOf(args.hosts, host).generation, generation), host),
    );

    this.hubCredentials = pulumi.secret({ type: "b2" as const, generation, remotes });
    this.rcloneRemotes = pulumi.secret(
      pulumi.all([
        this.#remote(remotes.current, keyOf("sync", generation)),
        this.#remote(remotes.next, keyOf("sync", generation + 1)),
        this.#remote(remotes.restore, keyOf("restore", generation)),
        this.#remote(remotes.monitor, keyOf("monitor", generation)),
      ]),
    );
    this.record = pulumi
      .all(made.map(({ key }) => key.applicationKeyId))
      .apply((): TargetRecord => record);
    this.registerOutputs({ bucketId: bucket.bucketId });
  }

  restoreEnvironment(host: string): pulumi.Output<EnvLine[]> {
    const key = this.#hostKeys[host];
    if (key === undefined) throw new RangeError(`"${host}" is no host of the target`);
    const target = this.targetName.toUpperCase();
    return pulumi.secret(
      this.#remote(this.targetName, key).apply(({ options }): EnvLine[] => [
        {
          comment: `Restore from ${this.targetName}: restic -r $OFFSITE_${target}_REPOSITORY --no-lock restore … (reads this host's repository, and no other)`,
        },
        [`OFFSITE_${target}_REPOSITORY`, this.manifest.repositories[host] ?? ""],
        ...Object.entries(options).map(([option, value]): EnvLine => [
          `RCLONE_CONFIG_${target}_${option.toUpperCase()}`,
          value,
        ]),
      ]),
    );
  }

  #remote(remote: string, key: b2.ApplicationKey): pulumi.Output<RcloneRemote> {
    const { endpoint } = this.#target;
    return pulumi
      .all([key.applicationKeyId, key.applicationKey])
      .apply(([account, applicationKey]): RcloneRemote => {
        // An import by the id alone leaves the secret out, whatever the type says.
        if ((applicationKey as string | undefined) === undefined)
          throw this.#secretMissing(account);
        return {
          name: remote,
          options: {
            type: "b2",
            account,
            key: applicationKey,
            ...(endpoint !== undefined && { endpoint }),
          },
        };
      });
  }

  #secretMissing(id: string): Error {
    const message = `The key ${id} is in the state without its secret, as an import by its id leaves it. Let Pulumi forget it (pulumi state delete), then bring it back with: offsite recover --identity <your key>; or let the next update make another`;
    return plainError(message, this);
  }

  #newKey(name: string, args: B2TargetArgs, bucket: b2.Bucket, key: B2Key): b2.ApplicationKey {
    const { purpose, generation, host, formerly } = key;
    const { keyDays } = args.target;
    return new b2.ApplicationKey(
      `${name}-${key.resource}`,
      {
        keyName: keyName(
          { stack: args.stack, target: name, purpose, ...(host !== undefined && { host }) },
          generation,
        ),
        capabilities: [...B2_CAPABILITIES[purpose]],
        bucketIds: [bucket.bucketId],
        ...(host !== undefined && { namePrefix: `${host}/` }),
        ...(keyDays !== undefined && { validDurationInSeconds: keyDays * DAY_SECONDS }),
      },
      {
        parent: this,
        // B2 sets a key's end when it makes it: another one is for keys to come, and no reason to
        // take away those that are in use.
        ignoreChanges: ["validDurationInSeconds"],
        ...(formerly !== undefined && { aliases: [{ name: `${name}-${formerly}` }] }),
      },
    );
  }

  #newBucket(name: string, target: B2TargetConfig): b2.Bucket {
    return new b2.Bucket(
      `${name}-bucket`,
      {
        bucketName: this.#inRegion(target),
        bucketType: "allPrivate",
        defaultServerSideEncryption: { mode: "SSE-B2", algorithm: "AES256" },
        lifecycleRules: [
          {
            fileNamePrefix: "",
            daysFromHidingToDeleting: target.keepHiddenDays,
            daysFromStartingToCancelingUnfinishedLargeFiles: UNFINISHED_DAYS,
          },
        ],
      },
      // The backups outlive the stack.
      { parent: this, retainOnDelete: true, protect: target.protect },
    );
  }

  /** The bucket's name, once the account is known to be where the config says. */
  #inRegion({ bucket, region }: B2TargetConfig): pulumi.Input<string> {
    if (region === undefined) return bucket;
    return b2.getAccountInfoOutput({}, { parent: this }).s3ApiUrl.apply((url) => {
      // https://s3.eu-central-003.backblazeb2.com: the one place where the account's region shows.
      if (url.includes(`//s3.${region}.`)) return bucket;
      throw plainError(
        `targets.${this.targetName}.region: got "${region}", but the account keeps its data at ${url}. Use a key of an account in that region, or correct the config`,
        this,
      );
    });
  }
}
