/** What must be refused, tried for real with the credentials that a thief would find. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import type { HubCredentials, Manifest } from "../config/manifest.ts";
import { parseEnv } from "./hosts.ts";

/** One attempt, what has to come of it and what came. */
export interface Refusal {
  readonly attempt: string;
  readonly expected: string;
  readonly outcome: string;
  readonly refused: boolean;
}

/** What the thief has. */
export interface Loot {
  readonly manifest: Manifest;
  readonly credentials: HubCredentials;
  readonly rcloneFile: string;
  /** A host's env file, unsealed, and the name of another host. */
  readonly host: { readonly name: string; readonly env: string; readonly victim: string };
  /** The hub's repositories, where the names of files are looked up. */
  readonly repositories: string;
}

async function http(
  attempt: string,
  url: string,
  method: string,
  user: string,
  password: string,
  expected: readonly number[],
): Promise<Refusal> {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const response = await fetch(url, {
    method,
    headers: { authorization },
    ...(method === "POST" && { body: "overwritten" }),
  });
  await response.arrayBuffer();
  return {
    attempt,
    expected: expected.join(" or "),
    outcome: String(response.status),
    refused: expected.includes(response.status),
  };
}

function firstFile(repositories: string, host: string, type: string): string {
  const [file] = readdirSync(join(repositories, host, type), { recursive: true, encoding: "utf8" })
    .filter((name) => /[0-9a-f]{64}$/.test(name))
    .sort();
  if (file === undefined) throw new Error(`${host} has no ${type}`);
  return file;
}

async function atPeers({ manifest, credentials, host, repositories }: Loot): Promise<Refusal[]> {
  const { victim } = host;
  const env = parseEnv(host.env);
  const tries = Object.entries(manifest.targets).flatMap(([name, target]) => {
    const access = credentials.targets[name];
    if (target.type !== "rest-server" || access?.type !== "rest-server") return [];
    const password = access.users[victim]?.current ?? "";
    const base = `${target.url}${victim}`;
    const snapshot = firstFile(repositories, victim, "snapshots");
    const pack = firstFile(repositories, victim, "data").replace(/^.*\//, "");
    const own = env[`OFFSITE_${name.toUpperCase()}_PASSWORD`] ?? "";
    return [
      http(
        `delete a snapshot at ${name} with the hub's credentials`,
        `${base}/snapshots/${snapshot}`,
        "DELETE",
        victim,
        password,
        [403],
      ),
      http(
        `delete a pack at ${name} with the hub's credentials`,
        `${base}/data/${pack}`,
        "DELETE",
        victim,
        password,
        [403],
      ),
      http(
        `overwrite a pack at ${name} with the hub's credentials`,
        `${base}/data/${pack}`,
        "POST",
        victim,
        password,
        [403],
      ),
      http(
        `overwrite the config at ${name} with the hub's credentials`,
        `${base}/config`,
        "POST",
        victim,
        password,
        [403],
      ),
      http(
        `read ${victim}'s repository at ${name} as ${host.name}`,
        `${base}/config`,
        "GET",
        host.name,
        own,
        [401],
      ),
      http(
        `read anything at ${name} as a stranger`,
        `${base}/config`,
        "GET",
        "stranger",
        "guess",
        [401],
      ),
    ];
  });
  return Promise.all(tries);
}

async function atHub({ manifest, host, repositories }: Loot): Promise<Refusal[]> {
  const password = parseEnv(host.env).RESTIC_REST_PASSWORD ?? "";
  const { url } = manifest.hub;
  const snapshot = firstFile(repositories, host.name, "snapshots");
  return [
    await http(
      `read ${host.victim}'s repository at the hub as ${host.name}`,
      `${url}${host.victim}/config`,
      "GET",
      host.name,
      password,
      [401],
    ),
    await http(
      `delete its own snapshot at the hub as ${host.name}`,
      `${url}${host.name}/snapshots/${snapshot}`,
      "DELETE",
      host.name,
      password,
      [403],
    ),
  ];
}

/** rclone with as little patience as it can have: a refusal is final. */
async function rclone(
  args: readonly string[],
  env: Record<string, string>,
  input: string | Uint8Array = "",
) {
  const { stdout, stderr, exitCode } = await execa(
    "rclone",
    [...args, "--retries=1", "--low-level-retries=1"],
    { env, input, reject: false, encoding: "buffer", stripFinalNewline: false },
  );
  return { content: Buffer.from(stdout), exitCode, stderr: Buffer.from(stderr).toString("utf8") };
}

function denied(
  attempt: string,
  result: { exitCode: number | undefined; stderr: string },
): Refusal {
  const isDenied = result.exitCode !== 0 && /401|unauthorized/i.test(result.stderr);
  const outcome = result.exitCode === 0 ? "done" : isDenied ? "unauthorized" : result.stderr.trim();
  return { attempt, expected: "unauthorized", outcome, refused: isDenied };
}

async function atCloud(loot: Loot, name: string, bucket: string): Promise<Refusal[]> {
  const { host, rcloneFile, repositories } = loot;
  const hub = { RCLONE_CONFIG: rcloneFile };
  const snapshot = `${host.victim}/snapshots/${firstFile(repositories, host.victim, "snapshots")}`;
  const place = `${name}:${bucket}/${snapshot}`;
  const before = await rclone(["cat", place], hub);
  const removed = await rclone(["deletefile", "--b2-hard-delete", place], hub);
  const refusals = [denied(`delete a snapshot's file at ${name} with the hub's key`, removed)];

  // Overwriting adds a version; the one before stays, and is found by its time.
  const time = new Date().toISOString();
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  await rclone(["rcat", place], hub, "overwritten");
  const after = await rclone(["cat", place], hub);
  const recovered = await rclone(["cat", "--b2-version-at", time, place], hub);
  const isBack = before.content.length > 0 && recovered.content.equals(before.content);
  refusals.push({
    attempt: `overwrite a snapshot's file at ${name} with the hub's key`,
    expected: "recoverable",
    outcome: isBack && after.content.toString() === "overwritten" ? "recoverable" : "lost",
    refused: isBack,
  });
  // What the overwriting hid is put back the way the runbook says: from the version before.
  await rclone(["rcat", place], hub, before.content);

  const other = `${name}:${bucket}/${host.victim}/config`;
  const own = { ...parseEnv(host.env), RCLONE_CONFIG: "/dev/null" };
  refusals.push(
    denied(
      `read ${host.victim}'s repository at ${name} as ${host.name}`,
      await rclone(["cat", other], own),
    ),
    denied(
      `write at ${name} as ${host.name}`,
      await rclone(["rcat", `${name}:${bucket}/${host.name}/x`], own, "x"),
    ),
    denied(
      `read at ${name} with the monitor's key`,
      // Found by listing, which the key may do, and then opened, which it may not.
      await rclone(
        ["cat", `${name}-monitor:${bucket}`, "--include", `/${host.victim}/config`],
        hub,
      ),
    ),
  );
  return refusals;
}

/** Tries everything that must be refused, at the hub and at every target. */
export async function tryWhatMustBeRefused(loot: Loot): Promise<Refusal[]> {
  const refusals = [...(await atHub(loot)), ...(await atPeers(loot))];
  for (const [name, target] of Object.entries(loot.manifest.targets)) {
    if (target.type === "b2") refusals.push(...(await atCloud(loot, name, target.bucket)));
  }
  return refusals;
}
