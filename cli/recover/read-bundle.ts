/** What a bundle that the lost state had written still tells. */
import { join, resolve } from "node:path";
import pLimit from "p-limit";
import { hubCredentialsSchema, type HubCredentials } from "../../config/manifest.ts";
import type { StackConfig } from "../../config/stack.ts";
import { openSealed } from "../bundle/open.ts";
import { secretsOfEnv, secretsOfRclone, type KeySecrets } from "./secrets.ts";

/** What was found in the bundle. */
export interface BundleSecrets {
  readonly keys: KeySecrets;
  /** Whom the hub's passwords are for, and of which generation; undefined where it is not open. */
  readonly hub: HubCredentials | undefined;
  /** Files that gave nothing, with the reason. */
  readonly closed: ReadonlyMap<string, string>;
}

/** Programs at work at once. */
const CONCURRENCY = 4;

/**
 * Opens the hub's and the hosts' files.
 *
 * @param project - the folder that the bundle's directory is relative to.
 */
export async function readBundle(
  config: StackConfig,
  project: string,
  identities: readonly string[],
): Promise<BundleSecrets> {
  const directory = resolve(project, config.seal.directory);
  const hosts = Object.keys(config.hosts).map((host) => `hosts/${host}.env`);
  const limit = pLimit(CONCURRENCY);
  const opened = await Promise.all(
    ["rclone.conf", "hub-credentials.json", ...hosts].map((path) =>
      limit(async () => {
        const file = config.seal.format === "plain" ? path : `${path}.${config.seal.format}`;
        const found = await openSealed(join(directory, file), config.seal.format, identities);
        return { path, file, found };
      }),
    ),
  );
  const contents = new Map(
    opened.flatMap(({ path, found }) => ("content" in found ? [[path, found.content]] : [])),
  );
  const rclone = contents.get("rclone.conf");
  return {
    keys: new Map([
      ...(rclone === undefined ? [] : secretsOfRclone(rclone)),
      ...hosts.flatMap((path) => secretsOfEnv(contents.get(path) ?? "")),
    ]),
    hub: hubOf(contents.get("hub-credentials.json")),
    closed: new Map(
      opened.flatMap(({ file, found }) => ("reason" in found ? [[file, found.reason]] : [])),
    ),
  };
}

function hubOf(content: string | undefined): HubCredentials | undefined {
  if (content === undefined) return undefined;
  try {
    return hubCredentialsSchema.safeParse(JSON.parse(content)).data;
  } catch {
    return undefined;
  }
}
