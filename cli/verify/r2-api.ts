/** What verify asks of Cloudflare's own API, with the operator's token. */
import { z } from "zod";
import { b2Transport } from "../../hub/targets/b2-transport.ts";
import { excerpt } from "../../hub/format.ts";
import { interruption } from "../interruption.ts";

const API = "https://api.cloudflare.com/client/v4";

const lockSchema = z.object({
  rules: z
    .array(
      z.object({
        id: z.string(),
        enabled: z.boolean(),
        prefix: z.string().nullish(),
        condition: z.object({ type: z.string(), maxAgeSeconds: z.number().nullish() }),
      }),
    )
    .nullish(),
});

const lifecycleSchema = z.object({
  rules: z
    .array(
      z.object({
        id: z.string(),
        enabled: z.boolean(),
        conditions: z.object({ prefix: z.string().nullish() }).nullish(),
        deleteObjectsTransition: z.unknown().optional(),
      }),
    )
    .nullish(),
});

const tokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string().optional(),
  policies: z
    .array(
      z.object({
        effect: z.string(),
        permission_groups: z.array(z.object({ id: z.string(), name: z.string().optional() })),
        resources: z.record(z.string(), z.unknown()),
      }),
    )
    .default([]),
});

export type LockRules = z.infer<typeof lockSchema>;
export type LifecycleRules = z.infer<typeof lifecycleSchema>;
export type ApiToken = z.infer<typeof tokenSchema>;

/** Tokens of one answer. */
const PAGE = 50;

/** The account that a bucket is in, as the operator sees it. */
export class R2Api {
  readonly #token: string;
  readonly #account: string;
  readonly #jurisdiction: string;
  readonly #base = process.env.CLOUDFLARE_BASE_URL ?? API;

  /** @param token - the operator's own. Secret. */
  constructor(token: string, account: string, jurisdiction: string) {
    this.#token = token;
    this.#account = account;
    this.#jurisdiction = jurisdiction;
  }

  async lock(bucket: string): Promise<LockRules> {
    return lockSchema.parse(await this.#get(`r2/buckets/${bucket}/lock`));
  }

  async lifecycle(bucket: string): Promise<LifecycleRules> {
    return lifecycleSchema.parse(await this.#get(`r2/buckets/${bucket}/lifecycle`));
  }

  /** The addresses under which everybody reads the bucket. */
  async publicDomains(bucket: string): Promise<string[]> {
    const managed = z
      .object({ domain: z.string(), enabled: z.boolean() })
      .parse(await this.#get(`r2/buckets/${bucket}/domains/managed`));
    const custom = z
      .object({ domains: z.array(z.object({ domain: z.string(), enabled: z.boolean() })) })
      .parse(await this.#get(`r2/buckets/${bucket}/domains/custom`));
    return [managed, ...custom.domains]
      .filter(({ enabled }) => enabled)
      .map(({ domain }) => domain);
  }

  /** All API tokens of the account. */
  async tokens(): Promise<ApiToken[]> {
    const all: ApiToken[] = [];
    for (let page = 1; ; page += 1) {
      const answer = await this.#get(`tokens?page=${page}&per_page=${PAGE}`);
      const tokens = z.array(tokenSchema).parse(answer);
      const fresh = tokens.filter(({ id }) => !all.some((token) => token.id === id));
      all.push(...fresh);
      if (fresh.length < PAGE) return all;
    }
  }

  async #get(path: string): Promise<unknown> {
    const transport = b2Transport();
    try {
      const answer = await transport.send(
        {
          method: "GET",
          url: `${this.#base}/accounts/${this.#account}/${path}`,
          headers: {
            authorization: `Bearer ${this.#token}`,
            "cf-r2-jurisdiction": this.#jurisdiction,
          },
        },
        interruption,
      );
      const { success, errors, result } = z
        .object({
          success: z.boolean(),
          errors: z.array(z.object({ message: z.string() })).default([]),
          result: z.unknown().optional(),
        })
        .parse(JSON.parse(answer.body));
      if (success) return result;
      const why = excerpt(errors.map(({ message }) => message).join("; "));
      throw new Error(
        `Cloudflare answered ${answer.status} (${why}) to ${path.split("?")[0] ?? ""}. The operator's token needs the permissions of docs/targets/r2.md`,
      );
    } catch (error) {
      if (!(error instanceof SyntaxError) && !(error instanceof z.ZodError)) throw error;
      throw new Error("Cloudflare's API answered something else than what is known of it", {
        cause: error,
      });
    } finally {
      await transport.close();
    }
  }
}
