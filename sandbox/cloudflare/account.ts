/** What the stand-in for Cloudflare keeps of an account: buckets with their rules, and API tokens. */
import { createHash, randomBytes } from "node:crypto";
import pLimit from "p-limit";
import type { S3Server } from "../s3.ts";

/** A rule of a bucket's lock, as Cloudflare's API has it. */
export interface LockRule {
  readonly id: string;
  readonly enabled: boolean;
  readonly prefix?: string;
  readonly condition: {
    readonly type: "Age" | "Date" | "Indefinite";
    readonly maxAgeSeconds?: number;
    readonly date?: string;
  };
}

/** A bucket. */
export interface Bucket {
  readonly name: string;
  readonly jurisdiction: string;
  readonly location: string;
  readonly storageClass: string;
  readonly creationDate: string;
  lock: readonly LockRule[];
  lifecycle: readonly unknown[];
  /** Whether everybody reads it at its r2.dev address. */
  isPublic: boolean;
}

/** A policy of a token. */
export interface TokenPolicy {
  readonly effect: string;
  readonly permission_groups: readonly { readonly id: string }[];
  readonly resources: Readonly<Record<string, string>>;
}

/** An API token; its value is told once. */
export interface Token {
  readonly id: string;
  name: string;
  policies: readonly TokenPolicy[];
  status: string;
  readonly issuedOn: string;
}

const READ = ["s3:ListBucket", "s3:GetObject"];

/** What Cloudflare's permission groups for a bucket's items allow. */
const RIGHTS: Readonly<Record<string, readonly string[]>> = {
  "2efd5506f9c8494dacb1fa10a3e7d5b6": [
    ...READ,
    ...[
      "s3:PutObject",
      "s3:DeleteObject",
      "s3:AbortMultipartUpload",
      "s3:ListMultipartUploadParts",
    ],
  ],
  "6a018a9f2fc74eb6b293b0c548f38b39": READ,
};

/** A request that Cloudflare's API refuses. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** One account, whose buckets are those of a real S3 server. */
export class Account {
  readonly id = randomBytes(16).toString("hex");
  readonly buckets = new Map<string, Bucket>();
  readonly tokens = new Map<string, Token>();
  /** By how many milliseconds its clock is ahead. */
  ahead = 0;
  readonly #s3: S3Server;
  /** One after another: a bucket has one policy for all tokens. */
  readonly #oneByOne = pLimit(1);

  constructor(s3: S3Server) {
    this.#s3 = s3;
  }

  bucket(name: string): Bucket {
    const bucket = this.buckets.get(name);
    if (bucket === undefined) throw new ApiError(404, "The specified bucket does not exist.");
    return bucket;
  }

  async createBucket(
    asked: Pick<Bucket, "name" | "jurisdiction" | "location" | "storageClass">,
  ): Promise<Bucket> {
    if (this.buckets.has(asked.name)) {
      throw new ApiError(409, "The bucket you tried to create already exists, and you own it.");
    }
    await this.#s3.bucket(asked.name);
    const creationDate = new Date().toISOString();
    const rest = { creationDate, lock: [], lifecycle: [], isPublic: false };
    const bucket: Bucket = { ...asked, ...rest };
    this.buckets.set(asked.name, bucket);
    return bucket;
  }

  async createToken(
    asked: Pick<Token, "name" | "policies">,
  ): Promise<{ token: Token; value: string }> {
    const id = randomBytes(16).toString("hex");
    const value = randomBytes(30).toString("base64url");
    const issuedOn = new Date().toISOString();
    const token: Token = { id, status: "active", issuedOn, ...asked };
    await this.#oneByOne(async () => {
      // Cloudflare, "Get S3 API credentials from an API token".
      await this.#s3.user(id, createHash("sha256").update(value).digest("hex"));
      this.tokens.set(id, token);
      await this.#setRights();
    });
    return { token, value };
  }

  async changeToken(id: string, asked: Pick<Token, "name" | "policies">): Promise<Token> {
    const token = this.token(id);
    Object.assign(token, asked);
    await this.#oneByOne(() => this.#setRights());
    return token;
  }

  async deleteToken(id: string): Promise<void> {
    this.token(id);
    await this.#oneByOne(async () => {
      this.tokens.delete(id);
      await this.#setRights();
      await this.#s3.removeUser(id);
    });
  }

  token(id: string): Token {
    const token = this.tokens.get(id);
    if (token === undefined) throw new ApiError(404, "API token not found");
    return token;
  }

  /** Whether a lock rule keeps an object that was written then. */
  isLocked(bucket: string, key: string, written: Date): boolean {
    const now = Date.now() + this.ahead;
    return this.bucket(bucket).lock.some(({ enabled, prefix = "", condition }) => {
      if (!enabled || !key.startsWith(prefix)) return false;
      switch (condition.type) {
        case "Indefinite":
          return true;
        case "Age":
          return now - written.getTime() < (condition.maxAgeSeconds ?? 0) * 1000;
        case "Date":
          return now < Date.parse(condition.date ?? "");
      }
    });
  }

  async #setRights(): Promise<void> {
    for (const { name, jurisdiction } of this.buckets.values()) {
      const resource = `com.cloudflare.edge.r2.bucket.${this.id}_${jurisdiction}_${name}`;
      const rights = [...this.tokens.values()].map(({ id, policies }) => {
        const groups = policies
          .filter(({ effect, resources }) => effect === "allow" && resources[resource] === "*")
          .flatMap(({ permission_groups }) => permission_groups);
        return [id, groups.flatMap((group) => RIGHTS[group.id] ?? [])] as const;
      });
      await this.#s3.policy(name, Object.fromEntries(rights));
    }
  }
}
