/** docs/runbooks/passphrase-or-state-lost.md, followed to the letter. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Client } from "../../../sdks/b2/client/client.ts";
import { deleteKey, listKeys } from "../../../sdks/b2/client/keys.ts";
import { envOf } from "../family.ts";
import { Runbooks } from "./runbooks.ts";

const PAGE = "passphrase-or-state-lost";

let runbooks: Runbooks;
let client: Client;
let state: string;

beforeAll(async () => {
  runbooks = await Runbooks.open();
  const { emulator, world } = runbooks.cluster;
  const { applicationKeyId, applicationKey, url: endpoint } = emulator;
  client = new Client({ applicationKeyId, applicationKey, endpoint });
  state = join(world.directory, "state");
});

afterAll(async () => {
  await client.close();
  expect(await runbooks.end()).toEqual([]);
});

const follow = async (...only: readonly string[]) =>
  await runbooks.follow(PAGE, {
    only,
    settings: { STATE: state, PEER_KEY: runbooks.cluster.peer.privateKeyFile },
  });

const keys = async () => (await listKeys(client)).map((key) => key.applicationKeyId).sort();

it("brings a lost state back with every key and password as it was", async () => {
  const before = { keys: await keys(), env: await envOf(runbooks.cluster, "q") };
  rmSync(state, { recursive: true });
  await follow("The state is lost", "Smoke test");
  expect({ keys: await keys(), env: await envOf(runbooks.cluster, "q") }).toEqual(before);
});

it("keeps bucket, peer and data where the passphrase is lost, with new passwords and keys", async () => {
  const { cluster, checkout } = runbooks;
  const before = { keys: await keys(), env: await envOf(cluster, "q") };
  writeFileSync(
    cluster.stack.env.PULUMI_CONFIG_PASSPHRASE_FILE ?? "",
    randomBytes(24).toString("hex"),
  );
  expect((await cluster.stack.run(["preview"])).output).toContain("incorrect passphrase");
  await follow("The passphrase is lost");
  expect(existsSync(`${state}.before`)).toBe(true);
  const now = await envOf(cluster, "q");
  expect(Object.keys(now)).toEqual(Object.keys(before.env));
  for (const name of ["RESTIC_REST_PASSWORD", "OFFSITE_PEER_PASSWORD", "RCLONE_CONFIG_CLOUD_KEY"]) {
    expect(before.env[name], name).toBeTypeOf("string");
    expect(now[name], name).not.toBe(before.env[name]);
  }
  // What the page has its reader hand to Backblaze's own program are the old keys and no other.
  const old = readFileSync(join(checkout.folder, "old-keys"), "utf8").trim().split("\n");
  expect(old.map((line) => line.replace("b2 key delete ", "")).sort()).toEqual(before.keys);
  for (const id of before.keys) await deleteKey(client, id);
  await follow("Smoke test");
  expect(runbooks.unfollowed(PAGE)).toEqual([]);
});
