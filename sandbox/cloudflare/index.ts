/**
 * A stand-in for Cloudflare: its API for R2 buckets and account tokens, and R2's S3 API with bucket
 * locks, over a real S3 server. It is what its documentation says, and was never held against the
 * service itself.
 */
import { randomBytes } from "node:crypto";
import type { Server } from "node:http";
import { join } from "node:path";
import { S3Server } from "../s3.ts";
import { freePort, PROJECT, type World } from "../world.ts";
import { Account } from "./account.ts";
import { cloudflareApi } from "./api.ts";
import { s3Door, type Faults } from "./s3-door.ts";

/** The stand-in's plugin for Pulumi, by the name that it has in Pulumi's folder of plugins. */
export const CLOUDFLARE_PLUGIN = {
  "resource-cloudflare-v6.22.1": join(
    PROJECT,
    ...["sandbox", "plugins", "cloudflare", "pulumi-resource-cloudflare"],
  ),
} as const;

/** A running stand-in. */
export interface Cloudflare {
  readonly account: Account;
  /** The S3 server behind it, at which no lock rule counts. */
  readonly s3: S3Server;
  /** The base URL of the S3 API. */
  readonly endpoint: string;
  /** What goes wrong at the S3 API; to be changed. */
  readonly faults: Faults;
  /** What the operator's commands and Pulumi need. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts it. It ends with the world. */
export async function startCloudflare(world: World, versitygw: string): Promise<Cloudflare> {
  const s3 = await S3Server.start(world, versitygw, "auto");
  const account = new Account(s3);
  const token = randomBytes(20).toString("hex");
  const api = await listen(world, cloudflareApi(account, token));
  const faults: Faults = { lostAnswers: 0 };
  const endpoint = await listen(world, s3Door(account, s3, faults));
  const env = { CLOUDFLARE_API_TOKEN: token, CLOUDFLARE_BASE_URL: `${api}/client/v4` };
  return { account, s3, endpoint, faults, env };
}

async function listen(world: World, server: Server): Promise<string> {
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  world.cleanup.add("the stand-in for Cloudflare", () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${port}`;
}
