/** An S3 of somebody's own: versitygw, a real server, with users, versions, locks and policies. */
import { randomBytes } from "node:crypto";
import { execa } from "execa";
import { b2Transport } from "../hub/targets/b2-transport.ts";
import { S3Client } from "../hub/targets/s3-client.ts";
import { listens } from "./peer.ts";
import { freePort, waitFor, type World } from "./world.ts";

/** A pair of keys. */
export interface S3User {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** How a bucket is made. */
export interface S3Bucket {
  readonly versions?: boolean;
  /** Object lock by default. */
  readonly lock?: { readonly mode: "COMPLIANCE" | "GOVERNANCE"; readonly days: number };
}

const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

/** The server, until the world's end. */
export class S3Server {
  readonly url: string;
  readonly region: string;
  readonly root: S3User;
  readonly #program: string;
  readonly #transport = b2Transport();

  private constructor(options: { url: string; region: string; root: S3User; program: string }) {
    this.url = options.url;
    this.region = options.region;
    this.root = options.root;
    this.#program = options.program;
  }

  /**
   * Starts it on a free port of the loopback address.
   *
   * @param program - versitygw.
   */
  static async start(world: World, program: string, region = "us-east-1"): Promise<S3Server> {
    const port = await freePort();
    const root = { accessKeyId: "root", secretAccessKey: randomBytes(16).toString("hex") };
    const folders = Object.fromEntries(
      ["data", "versions", "users"].map((name) => [name, world.folder("s3", name)]),
    );
    const daemon = world.start("versitygw", program, [
      ...["--port", `127.0.0.1:${port}`, "--region", region, "--quiet"],
      // A throw-away's, which dies with the world.
      ...["--access", root.accessKeyId, "--secret", root.secretAccessKey],
      ...["--iam-dir", folders.users ?? "", "--iam-cache-disable"],
      ...["posix", "--versioning-dir", folders.versions ?? "", folders.data ?? ""],
    ]);
    await waitFor("The S3 server's start", () => listens(port), { failed: daemon.failure });
    const server = new S3Server({ url: `http://127.0.0.1:${port}`, region, root, program });
    world.cleanup.add("the S3 server's connections", () => server.#transport.close());
    return server;
  }

  /** A bucket, as a user sees it; root where none is given. */
  client(bucket: string, user: S3User = this.root): S3Client {
    const section = {
      type: "s3",
      endpoint: this.url,
      region: this.region,
      access_key_id: user.accessKeyId,
      secret_access_key: user.secretAccessKey,
    };
    return new S3Client(section, bucket, this.#transport);
  }

  /** Makes a user who may do nothing yet. */
  async user(
    accessKeyId = `user${randomBytes(6).toString("hex")}`,
    secretAccessKey = randomBytes(20).toString("hex"),
  ): Promise<S3User> {
    await this.#admin("create-user", "-a", accessKeyId, "-s", secretAccessKey, "-r", "user");
    return { accessKeyId, secretAccessKey };
  }

  async removeUser(accessKeyId: string): Promise<void> {
    await this.#admin("delete-user", "-a", accessKeyId);
  }

  async bucket(name: string, { versions = false, lock }: S3Bucket = {}): Promise<void> {
    const client = this.client(name);
    const headers = lock && { "x-amz-bucket-object-lock-enabled": "true" };
    await client.must("create", { method: "PUT", ...(headers && { headers }) });
    if (versions || lock) {
      await this.#set(
        name,
        "versioning",
        `<VersioningConfiguration ${NAMESPACE}><Status>Enabled</Status></VersioningConfiguration>`,
      );
    }
    if (lock === undefined) return;
    await this.#set(
      name,
      "object-lock",
      `<ObjectLockConfiguration ${NAMESPACE}><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>${lock.mode}</Mode><Days>${lock.days}</Days></DefaultRetention></Rule></ObjectLockConfiguration>`,
    );
  }

  /** Sets who may do what in a bucket: actions by user's ID. */
  async policy(bucket: string, rights: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const arn = `arn:aws:s3:::${bucket}`;
    const ofBucket = (action: string) =>
      /^s3:(?:List(?:Bucket|BucketVersions)|(?:Get|Put)Bucket)/.test(action);
    // A statement for all who may do the same: the server keeps no long policies.
    const groups = new Map<string, string[]>();
    for (const [user, actions] of Object.entries(rights)) {
      const key = JSON.stringify(actions);
      groups.set(key, [...(groups.get(key) ?? []), user]);
    }
    const statements = [...groups].flatMap(([key, users]) => {
      const actions = JSON.parse(key) as string[];
      return [
        { Resource: [arn], Action: actions.filter(ofBucket) },
        { Resource: [`${arn}/*`], Action: actions.filter((action) => !ofBucket(action)) },
      ]
        .filter(({ Action }) => Action.length > 0)
        .map((statement) => ({ Effect: "Allow", Principal: { AWS: users }, ...statement }));
    });
    if (statements.length === 0) {
      await this.client(bucket).must("policy", { method: "DELETE", query: { policy: "" } });
      return;
    }
    const policy = { Version: "2012-10-17", Statement: statements };
    await this.#set(bucket, "policy", JSON.stringify(policy));
  }

  async #set(bucket: string, setting: string, body: string): Promise<void> {
    const call = { method: "PUT", query: { [setting]: "" }, body } as const;
    await this.client(bucket).must(setting, call);
  }

  async #admin(...args: readonly string[]): Promise<void> {
    const env = {
      ADMIN_ACCESS_KEY_ID: this.root.accessKeyId,
      ADMIN_SECRET_ACCESS_KEY: this.root.secretAccessKey,
      ADMIN_ENDPOINT_URL: this.url,
      ADMIN_REGION: this.region,
    };
    await execa(this.#program, ["admin", ...args], { env });
  }
}

/** What a key may do with which the hub writes and nothing can be destroyed that has versions. */
export const SYNC_RIGHTS = [
  "s3:ListBucket",
  "s3:GetBucketVersioning",
  "s3:GetBucketObjectLockConfiguration",
  "s3:GetObject",
  "s3:PutObject",
  "s3:DeleteObject",
  "s3:AbortMultipartUpload",
  "s3:ListMultipartUploadParts",
] as const;

/** What a key may do that restores. */
export const RESTORE_RIGHTS = ["s3:ListBucket", "s3:GetObject"] as const;
