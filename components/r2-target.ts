import * as cloudflare from "@pulumi/cloudflare";
import * as pulumi from "@pulumi/pulumi";
import { UNFINISHED_DAYS } from "../config/lifecycle.ts";
import type { HubCredentials, TargetManifest } from "../config/manifest.ts";
import type { TargetRecord } from "../config/record.ts";
import type { R2TargetConfig, S3Key } from "../config/stack.ts";
import { isPlainAndFar } from "../config/targets/s3.ts";
import { jointGeneration } from "../credentials/derive.ts";
import type { EnvLine } from "../credentials/env-file.ts";
import { keyName } from "../credentials/names.ts";
import {
  R2_PERMISSIONS,
  r2Credentials,
  r2Endpoint,
  r2Keys,
  r2Resource,
  type R2Key,
} from "../credentials/r2-keys.ts";
import type { RcloneRemote } from "../credentials/rclone-conf.ts";
import { cloudTurns } from "./cloud-turns.ts";
import { plainError } from "./errors.ts";
import { s3Remote, s3RestoreLines, type S3Place } from "./s3-access.ts";
import {
  forEachHost,
  hostOf,
  publicInputs,
  type OffsiteTarget,
  type TargetContext,
} from "./target.ts";

/** The settings of an {@link R2Target}. */
export interface R2TargetArgs extends TargetContext {
  readonly target: R2TargetConfig;
}

const DAY_SECONDS = 86_400;

/**
 * A bucket at Cloudflare R2 whose objects a lock rule keeps from being deleted and overwritten, and
 * the API tokens of those who use it: the hub's for syncing and restoring, and for each host one
 * that restores.
 */
export class R2Target extends pulumi.ComponentResource implements OffsiteTarget {
  readonly targetName: string;
  readonly manifest: TargetManifest;
  readonly hubCredentials: pulumi.Output<HubCredentials["targets"][string]>;
  readonly rcloneRemotes: pulumi.Output<RcloneRemote[]>;
  readonly record: pulumi.Output<TargetRecord>;
  readonly #target: R2TargetConfig;
  readonly #place: S3Place;
  readonly #hostTokens: Readonly<Record<string, cloudflare.AccountToken>>;

  constructor(name: string, args: R2TargetArgs, opts?: pulumi.ComponentResourceOptions) {
    const { target } = args;
    const endpoint = target.endpoint ?? r2Endpoint(target.accountId, target.jurisdiction);
    const manifest: TargetManifest = {
      type: "r2",
      bucket: target.bucket,
      endpoint,
      remote: name,
      path: target.bucket,
      keepHiddenDays: target.keepHiddenDays,
      repositories: forEachHost(args.hosts, (host) => `rclone:${name}:${target.bucket}/${host}`),
    };
    super("fort-offsite:index:R2Target", name, publicInputs(manifest), opts);
    this.targetName = name;
    this.manifest = manifest;
    this.#target = target;
    this.#place = { endpoint, region: "auto", provider: "Cloudflare" };
    this.#say();

    const lock = this.#newBucket();
    const { keys, record } = r2Keys({
      target,
      hosts: args.hosts,
      ...cloudTurns(name, "r2", args),
    });
    const made = keys.map((key) => ({ ...key, token: this.#newToken(args, key, lock) }));
    const tokenOf = (purpose: R2Key["purpose"], generation: number, host?: string) => {
      const found = made.find(
        (each) => each.purpose === purpose && each.generation === generation && each.host === host,
      );
      if (found === undefined) throw new RangeError(`There is no token ${purpose}-g${generation}`);
      return found.token;
    };
    const { generation } = target;
    this.#hostTokens = forEachHost(args.hosts, (host) =>
      tokenOf("restore", jointGeneration(hostOf(args.hosts, host).generation, generation), host),
    );

    const remotes = { current: name, next: `${name}-next`, restore: `${name}-restore` };
    this.hubCredentials = pulumi.secret({ type: "r2" as const, generation, remotes });
    this.rcloneRemotes = pulumi.secret(
      pulumi.all([
        this.#remote(remotes.current, tokenOf("sync", generation)),
        this.#remote(remotes.next, tokenOf("sync", generation + 1)),
        this.#remote(remotes.restore, tokenOf("restore", generation)),
      ]),
    );
    this.record = pulumi.all(made.map(({ token }) => token.id)).apply((): TargetRecord => record);
    this.registerOutputs({ bucket: target.bucket });
  }

  restoreEnvironment(host: string): pulumi.Output<EnvLine[]> {
    const token = this.#hostTokens[host];
    if (token === undefined) throw new RangeError(`"${host}" is no host of the target`);
    return pulumi.secret(
      this.#keyOf(token).apply((key) =>
        s3RestoreLines(this.targetName, this.#place, {
          key,
          path: `${this.#target.bucket}/${host}`,
          reads:
            "R2 knows no key for a part of a bucket: this one reads, and cannot decrypt, the other hosts' repositories too",
        }),
      ),
    );
  }

  /** What R2 cannot do, once a preview. */
  #say(): void {
    const { keepHiddenDays: days, endpoint } = this.#target;
    void pulumi.log.info(
      "R2 knows no key for a part of a bucket: each host's restore key reads the whole bucket, in which all is encrypted with the hosts' own passwords",
      this,
    );
    if (endpoint !== undefined && isPlainAndFar(endpoint)) {
      void pulumi.log.warn(`the endpoint ${endpoint} is not encrypted`, this);
    }
    if (days === "forever") return;
    void pulumi.log.warn(
      `a key of R2's that writes also deletes. The lock rule keeps an object for ${days} days from its upload: what is older can be destroyed by a thief at the hub, and restic's files are mostly older. Set keepHiddenDays to "forever" (the default) unless you are about to free space: docs/targets/r2.md`,
      this,
    );
  }

  #keyOf(token: cloudflare.AccountToken): pulumi.Output<S3Key> {
    return pulumi.all([token.id, token.value]).apply(([id, value]) => {
      // An import by the id alone leaves the secret out, whatever the type says.
      if ((value as string | undefined) !== undefined) return r2Credentials({ id, value });
      throw plainError(
        `The API token ${id} is in the state without its value, as an import leaves it: Cloudflare shows that once. Let Pulumi forget it (pulumi state delete) and delete it at Cloudflare; the next update makes another`,
        this,
      );
    });
  }

  #remote(name: string, token: cloudflare.AccountToken): pulumi.Output<RcloneRemote> {
    return this.#keyOf(token).apply((key) => s3Remote(name, this.#place, key));
  }

  #newToken(
    args: R2TargetArgs,
    { resource, purpose, generation, host }: R2Key,
    lock: pulumi.Resource,
  ): cloudflare.AccountToken {
    const { accountId, jurisdiction, bucket } = this.#target;
    const owner = { stack: args.stack, target: this.targetName, purpose };
    return new cloudflare.AccountToken(
      `${this.targetName}-${resource}`,
      {
        accountId,
        name: keyName({ ...owner, ...(host !== undefined && { host }) }, generation),
        policies: [
          {
            effect: "allow",
            permissionGroups: [{ id: R2_PERMISSIONS[purpose] }],
            resources: JSON.stringify({ [r2Resource(accountId, jurisdiction, bucket)]: "*" }),
          },
        ],
      },
      // No key is there before what keeps the objects from it.
      { parent: this, dependsOn: [lock] },
    );
  }

  /** The bucket and its rules. Returns the one that keeps the objects. */
  #newBucket(): cloudflare.R2BucketLock {
    const { accountId, bucket, jurisdiction, location, keepHiddenDays, protect } = this.#target;
    const name = this.targetName;
    // The backups outlive the stack, and so does what keeps them.
    const opts = { parent: this, retainOnDelete: true, protect };
    const made = new cloudflare.R2Bucket(
      `${name}-bucket`,
      {
        accountId,
        name: bucket,
        jurisdiction,
        storageClass: "Standard",
        ...(location !== undefined && { location }),
      },
      // R2 takes the hint once; another one later would replace the bucket.
      { ...opts, ignoreChanges: ["location"] },
    );
    const where = { accountId, bucketName: made.name, jurisdiction };
    new cloudflare.R2BucketLifecycle(
      `${name}-lifecycle`,
      {
        ...where,
        rules: [
          {
            id: "fort-offsite: abandon unfinished uploads",
            enabled: true,
            conditions: { prefix: "" },
            abortMultipartUploadsTransition: {
              condition: { type: "Age", maxAge: UNFINISHED_DAYS * DAY_SECONDS },
            },
          },
        ],
      },
      { parent: this, retainOnDelete: true },
    );
    return new cloudflare.R2BucketLock(
      `${name}-lock`,
      {
        ...where,
        rules: [
          {
            id: "fort-offsite: keep every object",
            enabled: true,
            prefix: "",
            condition:
              keepHiddenDays === "forever"
                ? { type: "Indefinite" }
                : { type: "Age", maxAgeSeconds: keepHiddenDays * DAY_SECONDS },
          },
        ],
      },
      opts,
    );
  }
}
