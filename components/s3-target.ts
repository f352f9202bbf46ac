import * as pulumi from "@pulumi/pulumi";
import type { HubCredentials, TargetManifest } from "../config/manifest.ts";
import type { TargetRecord } from "../config/record.ts";
import type { S3TargetConfig, TargetSecrets } from "../config/stack.ts";
import { isPlainAndFar } from "../config/targets/s3.ts";
import { nextKey } from "../config/targets/secrets.ts";
import type { EnvLine } from "../credentials/env-file.ts";
import type { RcloneRemote } from "../credentials/rclone-conf.ts";
import { s3Remote, s3RestoreLines, type S3Place } from "./s3-access.ts";
import { forEachHost, publicInputs, type OffsiteTarget, type TargetContext } from "./target.ts";

/** The settings of an {@link S3Target}. */
export interface S3TargetArgs extends TargetContext {
  readonly target: S3TargetConfig;
}

/**
 * A bucket at any S3 that somebody else made, with keys that somebody else made. It has no
 * resources: whether the bucket is as it should be is tried by verify.
 */
export class S3Target extends pulumi.ComponentResource implements OffsiteTarget {
  readonly targetName: string;
  readonly manifest: TargetManifest;
  readonly hubCredentials: pulumi.Output<HubCredentials["targets"][string]>;
  readonly rcloneRemotes: pulumi.Output<RcloneRemote[]>;
  readonly record: pulumi.Output<TargetRecord>;
  readonly #place: S3Place;
  readonly #path: string;
  readonly #secrets: TargetSecrets;

  constructor(name: string, args: S3TargetArgs, opts?: pulumi.ComponentResourceOptions) {
    const { target } = args;
    const path = [target.bucket, ...(target.prefix === undefined ? [] : [target.prefix])].join("/");
    const { endpoint, region, provider, protection, bucket } = target;
    const manifest: TargetManifest = {
      type: "s3",
      ...{ bucket, endpoint, path, protection },
      remote: name,
      repositories: forEachHost(args.hosts, (host) => `rclone:${name}:${path}/${host}`),
    };
    super("fort-offsite:index:S3Target", name, publicInputs(manifest), opts);
    this.targetName = name;
    this.manifest = manifest;
    this.#place = { endpoint, region, provider };
    this.#path = path;
    this.#secrets = args.targetSecrets?.[name] ?? {};
    const { sync, restore } = this.#secrets;
    if (sync === undefined) throw new RangeError(`"${name}" has no key, which the config demands`);
    const next = nextKey(this.#secrets);
    this.#say(target);

    const remotes = {
      current: name,
      ...(next !== undefined && { next: `${name}-next` }),
      restore: restore === undefined ? name : `${name}-restore`,
    };
    const { generation } = target;
    this.hubCredentials = pulumi.secret({ type: "s3" as const, generation, remotes });
    this.rcloneRemotes = pulumi.secret([
      s3Remote(name, this.#place, sync),
      ...(next === undefined ? [] : [s3Remote(`${name}-next`, this.#place, next)]),
      ...(restore === undefined ? [] : [s3Remote(`${name}-restore`, this.#place, restore)]),
    ]);
    this.record = pulumi.output<TargetRecord>({ type: "s3" });
    this.registerOutputs({ bucket });
  }

  restoreEnvironment(host: string): pulumi.Output<EnvLine[]> {
    const { restore } = this.#secrets;
    if (restore === undefined) {
      return pulumi.output<EnvLine[]>([
        {
          comment: `No restore from ${this.targetName} here: it has no key that only reads (targetSecrets.${this.targetName}.restore). The hub can`,
        },
      ]);
    }
    return pulumi.secret(
      s3RestoreLines(this.targetName, this.#place, {
        key: restore,
        path: `${this.#path}/${host}`,
        reads:
          "all hosts have this key; it reads, and cannot decrypt, the others' repositories too",
      }),
    );
  }

  #say({ endpoint, protection }: S3TargetConfig): void {
    const name = this.targetName;
    if (this.#secrets.restore === undefined) {
      void pulumi.log.info(
        `without a key that only reads (targetSecrets.${name}.restore) no host can restore from ${name} by itself: a key that writes is not given to hosts. The hub restores with its own`,
        this,
      );
    }
    if (protection === "none") {
      void pulumi.log.warn(
        `targets.${name}.protection is "none": a thief at the hub may be able to destroy what is there. What the bucket really does: offsite verify ${name}; how to protect it: docs/targets/s3.md`,
        this,
      );
    }
    if (isPlainAndFar(endpoint)) {
      void pulumi.log.warn(
        `the endpoint ${endpoint} is not encrypted: who is on the way sees names and sizes, and can disturb. Use https://, or a tunnel`,
        this,
      );
    }
  }
}
