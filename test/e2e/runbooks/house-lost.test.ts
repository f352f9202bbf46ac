/** docs/runbooks/house-lost.md, followed to the letter with what was kept elsewhere. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fingerprint } from "../../../sandbox/hosts.ts";
import { publicKey } from "../../../sandbox/peer.ts";
import { hostOf } from "../family.ts";
import { Runbooks } from "./runbooks.ts";

let runbooks: Runbooks;
let before: string[];

beforeAll(async () => {
  runbooks = await Runbooks.open();
  before = fingerprint(hostOf(runbooks.cluster, "q").data);
});

afterAll(async () => {
  expect(await runbooks.end()).toEqual([]);
});

it("brings a family's files back to a laptop from either place, and the house after them", async () => {
  const { cluster, shells } = runbooks;
  const { world, emulator, bundle } = cluster;
  await shells.lose("house");
  const { REPOSITORIES = "", KEPT = "" } = shells.settings();
  for (const gone of [
    REPOSITORIES,
    bundle,
    join(world.directory, "state"),
    runbooks.checkout.folder,
  ]) {
    expect(existsSync(gone)).toBe(false);
  }
  expect(readdirSync(KEPT).sort()).toEqual(
    [`Pulumi.${cluster.stack.name}.yaml`, "passphrase", "restic-passwords", "state"].sort(),
  );

  const q = hostOf(cluster, "q");
  const settings = {
    HUB_PUBLIC_KEY: `'${publicKey(hostOf(cluster, "ursula").identityFile)}'`,
    HOST_PUBLIC_KEY: `'${publicKey(q.identityFile)}'`,
  };
  const machines = { "a new laptop": "laptop" };
  const env = {
    B2_APPLICATION_KEY_ID: emulator.applicationKeyId,
    B2_APPLICATION_KEY: emulator.applicationKey,
  };
  await runbooks.follow("house-lost", { settings, machines, env });
  for (const place of ["laptop/from-cloud", "laptop/from-peer", "peer-home/restored"]) {
    expect(fingerprint(join(world.directory, place, "q"))).toEqual(before);
  }
  expect(fingerprint(q.data)).toEqual(before);
  expect(existsSync(join(world.directory, "laptop", "opened"))).toBe(false);
  expect(runbooks.unfollowed("house-lost")).toEqual([]);
  expect(statSync(REPOSITORIES).isDirectory()).toBe(true);
});
