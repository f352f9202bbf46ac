/** docs/runbooks/leaving-a-target.md, followed to the letter: from a bucket, and from a machine. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { listens } from "../../../sandbox/peer.ts";
import { freePort, removeContainers } from "../../../sandbox/world.ts";
import { findBucket } from "../../../sdks/b2/client/buckets.ts";
import { Client } from "../../../sdks/b2/client/client.ts";
import { listKeys } from "../../../sdks/b2/client/keys.ts";
import { Runbooks } from "./runbooks.ts";

const PAGE = "leaving-a-target";

let runbooks: Runbooks;
let client: Client;

beforeAll(async () => {
  runbooks = await Runbooks.open();
  const { applicationKeyId, applicationKey, url: endpoint } = runbooks.cluster.emulator;
  client = new Client({ applicationKeyId, applicationKey, endpoint });
});

afterAll(async () => {
  await client.close();
  expect(await runbooks.end()).toEqual([]);
});

/** Settings that only a sandbox needs: where its Backblaze is, and which image its engine has. */
async function prepare(target: string, name: string, value: unknown): Promise<void> {
  const path = `fort-offsite:targets.${target}.${name}`;
  await runbooks.cluster.stack.must(["config", "set", "--path", path, String(value)]);
}

it("goes from a bucket to another one, with two places at every moment", async () => {
  const { cluster } = runbooks;
  const bucketName = String(cluster.settings["fort-offsite:targets"]?.cloud?.bucket);
  await prepare("attic", "endpoint", cluster.emulator.url);
  await runbooks.follow(PAGE, {
    only: ["A bucket first", "Proven", "Let go", "Take it out", "Delete a bucket"],
    settings: { OLD_BUCKET: bucketName, NEW_BUCKET: `${bucketName}-attic` },
  });
  expect(await findBucket(client, { bucketName })).toBeUndefined();
  const keys = (await listKeys(client)).map(({ keyName }) => keyName);
  expect(keys.length).toBeGreaterThan(0);
  expect(keys.filter((name) => !name.includes("-attic-"))).toEqual([]);
});

it("goes from a machine to another one, and leaves nothing running at the old one", async () => {
  const { cluster, shells } = runbooks;
  const { image, listen } = cluster.settings["fort-offsite:targets"]?.peer ?? {};
  const project = `fort-offsite-${cluster.stack.name}-barn`;
  const { engine, world } = cluster;
  const data = join(world.directory, "barn");
  if (!engine.own) world.noteContainers(engine.host, project);
  world.cleanup.add("the new container", () => removeContainers(engine.host, project));
  await prepare("barn", "image", image);
  await runbooks.follow(PAGE, {
    only: ["A machine first", "Proven", "Let go", "Take it out"],
    settings: machine(data, `127.0.0.1:${await freePort()}`),
  });
  // Before its data is deleted, all of it is there, and nobody serves it.
  const old = shells.settings().PEER_DATA ?? "";
  expect(existsSync(join(old, "repositories", "q", "config"))).toBe(true);
  expect(await listens(Number(String(listen).split(":")[1]))).toBe(false);
  const left = await cluster.docker("ps", "--all", "--format", "{{.Names}}");
  expect(left).not.toContain(cluster.project);
  expect(left).toContain("barn");
  await runbooks.follow(PAGE, {
    only: ["Delete a machine's copy", "Smoke test"],
    settings: machine(data, ""),
  });
  expect(existsSync(old)).toBe(false);
  for (const host of ["ursula", "q"]) {
    expect(existsSync(join(data, "repositories", host, "config")), host).toBe(true);
  }
  expect(runbooks.unfollowed(PAGE)).toEqual([]);
});

/** The page's settings for the new machine, and for the old one. */
function machine(data: string, listen: string): Record<string, string> {
  const { peer } = runbooks.cluster;
  return {
    OLD: "peer",
    OLD_DATA: runbooks.shells.settings().PEER_DATA ?? "",
    NEW: "barn",
    NEW_ADDRESS: "127.0.0.1",
    NEW_PORT: String(peer.port),
    NEW_USER: peer.user,
    NEW_LISTEN: listen,
    NEW_DATA: data,
    NEW_GIB: "1",
  };
}
