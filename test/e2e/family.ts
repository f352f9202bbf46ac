/** The hosts of a cluster at their work, for the tests of a target's whole round trip. */
import { join } from "node:path";
import { execa } from "execa";
import { fingerprint, parseEnv, restic, unseal, type Host } from "../../sandbox/hosts.ts";
import type { Hub } from "../../sandbox/hub.ts";
import { ensurePrograms } from "../../tools/index.ts";
import type { Cluster } from "./cluster.ts";

/** Where versitygw is. */
export async function versitygw(): Promise<string> {
  const program = (await ensurePrograms(["versitygw"])).get("versitygw");
  if (program === undefined) throw new Error("versitygw was not made ready");
  return program.path;
}

/** A host of the cluster. */
export function hostOf(cluster: Cluster, name: string): Host {
  const host = cluster.hosts.find((each) => each.name === name);
  if (host === undefined) throw new Error(`There is no ${name}`);
  return host;
}

/** The variables of a host's file of the bundle as it is now. */
export async function envOf(cluster: Cluster, name: string): Promise<Record<string, string>> {
  return parseEnv(await envFileOf(cluster, name));
}

/** A host's file of the bundle as it is now. */
export async function envFileOf(cluster: Cluster, name: string): Promise<string> {
  const { identityFile } = hostOf(cluster, name);
  return await unseal(join(cluster.bundle, "hosts", `${name}.env.age`), identityFile);
}

/** Backs a host up to the hub; makes its repository at first. */
export async function backUp(cluster: Cluster, name: string, isFirst = false): Promise<void> {
  const host = hostOf(cluster, name);
  const env = await envOf(cluster, name);
  if (isFirst) await restic(cluster.world, host, env, ["init", "--quiet"]);
  const args = ["backup", "--quiet", "--host", name, "--tag", "nightly", "."];
  await restic(cluster.world, host, env, args, { cwd: host.data });
}

/** How an agent's command ended. */
export interface AgentResult {
  readonly ok: boolean;
  /** All that it said. */
  readonly said: string;
}

/** Runs the agent, whatever its end. */
export async function tryRun(hub: Hub, ...command: readonly string[]): Promise<AgentResult> {
  const before = hub.transcript.length;
  try {
    await hub.run(...command);
    return { ok: true, said: hub.transcript.slice(before) };
  } catch {
    return { ok: false, said: hub.transcript.slice(before) };
  }
}

/** Restores a host's newest snapshot with variables of its own, and compares it with its data. */
export async function restores(
  cluster: Cluster,
  name: string,
  repository: string,
  env: Readonly<Record<string, string>>,
): Promise<boolean> {
  const host = hostOf(cluster, name);
  const destination = cluster.world.folder("restored", `${name}-${Date.now()}`);
  const args = ["--repo", repository, "--no-lock", "restore", "latest", "--quiet"];
  await restic(cluster.world, host, env, [...args, "--target", destination]);
  return JSON.stringify(fingerprint(destination)) === JSON.stringify(fingerprint(host.data));
}

/** Runs rclone with the hub's rclone.conf, as a thief at the hub could. */
export async function rclone(
  hub: Hub,
  ...args: readonly string[]
): Promise<{ exitCode: number | undefined; all: string }> {
  const { exitCode, all } = await execa("rclone", [...args, "--retries", "1"], {
    env: { RCLONE_CONFIG: hub.rcloneFile },
    all: true,
    reject: false,
  });
  return { exitCode, all };
}
