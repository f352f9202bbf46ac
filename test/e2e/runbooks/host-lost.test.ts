/** docs/runbooks/host-lost.md, followed to the letter. */
import { readdirSync, rmSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fingerprint, restic, type Host } from "../../../sandbox/hosts.ts";
import { publicKey } from "../../../sandbox/peer.ts";
import { envOf, hostOf } from "../family.ts";
import { Runbooks } from "./runbooks.ts";

let runbooks: Runbooks;
let q: Host;
let before: string[];

beforeAll(async () => {
  runbooks = await Runbooks.open();
  q = hostOf(runbooks.cluster, "q");
  before = fingerprint(q.data);
});

afterAll(async () => {
  expect(await runbooks.end()).toEqual([]);
});

/** Its disk is gone, and a new machine stands there. */
async function lose(): Promise<Record<string, string>> {
  await runbooks.shells.lose("q");
  expect(readdirSync(q.data)).toEqual([]);
  return { HOST_PUBLIC_KEY: `'${publicKey(q.identityFile)}'` };
}

const NEW_MACHINE = ["The new machine's key", "Deploy the new machine"];

it("brings a host back from the hub to a machine with another key", async () => {
  const settings = await lose();
  const only = [...NEW_MACHINE, "From the hub", "Smoke test"];
  await runbooks.follow("host-lost", { settings, only });
  expect(fingerprint(q.data)).toEqual(before);
});

it("refuses a stolen host's passwords, and brings it back from either target", async () => {
  const stolen = await envOf(runbooks.cluster, "q");
  const settings = await lose();
  await runbooks.cluster.stack.must([
    ...["config", "set", "--path", "fort-offsite:hosts.q.key", publicKey(q.identityFile)],
  ]);
  const only = ["If it was stolen", "Deploy the new machine", "From the peer", "Smoke test"];
  await runbooks.follow("host-lost", { settings, only });
  expect(fingerprint(q.data)).toEqual(before);
  const { world } = runbooks.cluster;
  await expect(restic(world, q, stolen, ["snapshots"])).rejects.toThrow(/401/);

  rmSync(q.data, { recursive: true });
  await runbooks.follow("host-lost", { settings, only: ["From the cloud"] });
  expect(fingerprint(q.data)).toEqual(before);
  expect(runbooks.unfollowed("host-lost")).toEqual([]);
});
