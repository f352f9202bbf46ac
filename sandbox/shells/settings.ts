/** What the runbooks about targets and secrets set in their first blocks, as it is in the sandbox. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Stack } from "../stack.ts";
import type { World } from "../world.ts";

interface Settings {
  readonly config?: Readonly<Record<string, unknown>>;
}

interface Peer {
  readonly ssh: { readonly host: string; readonly port: number; readonly user: string };
  readonly listen: string;
  readonly dataDir: string;
  readonly image: string;
}

/** The stack's targets `cloud` and `peer` as they are now; undefined where the settings are lost. */
function targets(stack: Stack): { bucket: string; endpoint: string; peer: Peer } | undefined {
  if (!existsSync(stack.configFile)) return undefined;
  const { config } = parse(readFileSync(stack.configFile, "utf8")) as Settings;
  const { cloud, peer } = (config?.["fort-offsite:targets"] ?? {}) as {
    cloud?: { bucket: string; endpoint: string };
    peer?: Peer;
  };
  return cloud === undefined || peer === undefined ? undefined : { ...cloud, peer };
}

/** Settings by name. Those of a new target have what the sandbox's one machine can give it. */
export function targetSettings(world: World, stack: Stack): Record<string, string> {
  const found = targets(stack);
  if (found === undefined) return {};
  const { bucket, peer } = found;
  const { host, port, user } = peer.ssh;
  const key = join(world.directory, "ssh", "operator");
  const ssh = `ssh -p ${port} -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR`;
  return {
    ...{ BUCKET: bucket, OLD_BUCKET: bucket, NEW_BUCKET: `${bucket}-attic` },
    STATE: join(world.directory, "state"),
    ...{ PEER_KEY: key, AUTHORIZED_KEYS: join(world.directory, "ssh", "authorized_keys") },
    PEER_LOGIN: `'${ssh} ${user}@${host}'`,
    ...{ OLD_DATA: peer.dataDir, NEW_DATA: join(world.directory, "barn"), NEW_GIB: "1" },
    ...{ NEW_ADDRESS: host, NEW_PORT: String(port), NEW_USER: user },
    NEW_LISTEN: peer.listen.replace(/\d+$/, (given) => String(Number(given) + 1)),
    NEW_LOGIN: `'${ssh} -i ${key} ${user}@${host}'`,
  };
}

/** What a new target of the sandbox's needs beside what a page sets: nothing is on the internet here. */
export function targetHints(stack: Stack): string[] {
  const found = targets(stack);
  if (found === undefined) return [];
  const set = (name: string, value: string) =>
    `  pulumi config set --path "fort-offsite:targets.$NEW.${name}" ${value}`;
  return [
    "A new target needs one line more in the sandbox: a bucket, and a machine:",
    set("endpoint", found.endpoint),
    set("image", found.peer.image),
  ];
}
