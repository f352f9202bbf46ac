/** docs/runbooks/credential-leaked.md, followed to the letter: what leaked is refused afterwards. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newSshKey, publicKey } from "../../../sandbox/peer.ts";
import { envOf, hostOf } from "../family.ts";
import { Runbooks } from "./runbooks.ts";

let runbooks: Runbooks;

beforeAll(async () => {
  runbooks = await Runbooks.open();
});

afterAll(async () => {
  expect(await runbooks.end()).toEqual([]);
});

/** Follows the part of the page for one leak, its beginning and its smoke test. */
async function follow(...sections: readonly string[]): Promise<string> {
  const { world, peer, settings } = runbooks.cluster;
  const login = [
    `ssh -p ${peer.port} -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no`,
    `-o LogLevel=ERROR ${peer.user}@127.0.0.1`,
  ].join(" ");
  return await runbooks.follow("credential-leaked", {
    only: ["What the thief has", ...sections, "Smoke test"],
    settings: {
      BUCKET: String(settings["fort-offsite:targets"]?.cloud?.bucket),
      HUB_PUBLIC_KEY: `'${publicKey(hostOf(runbooks.cluster, "ursula").identityFile)}'`,
      PEER_LOGIN: `'${login}'`,
      AUTHORIZED_KEYS: join(world.directory, "ssh", "authorized_keys"),
    },
  });
}

const CLOUD = ["cloud: refused", "cloud-next: refused", "cloud-restore: refused"];

it("refuses what a host had everywhere, and its repository's old password", async () => {
  const said = await follow("A host", "restic's password");
  expect(said).toContain("peer: refused");
  // The host's leak is no reason to take the hub's keys back.
  expect(said).toContain("cloud-next: STILL ACCEPTED");
});

it("refuses all that the hub had, and seals what is new for the hub that was made anew", async () => {
  const { identityFile } = hostOf(runbooks.cluster, "ursula");
  for (const file of [identityFile, `${identityFile}.pub`]) rmSync(file);
  await newSshKey(identityFile, "ursula");
  const said = await follow("The hub");
  expect(said.split("\n")).toEqual(expect.arrayContaining(CLOUD));
  expect(said).not.toContain("STILL ACCEPTED");
});

it("changes every password, key and login where the stack's secrets leaked", async () => {
  const before = await envOf(runbooks.cluster, "q");
  const said = await follow("The stack's secrets");
  expect(said.split("\n")).toEqual(expect.arrayContaining(CLOUD));
  expect(said).not.toContain("STILL ACCEPTED");
  const secret = /PASSWORD|_KEY$|_ACCOUNT$/;
  const kept = Object.entries(await envOf(runbooks.cluster, "q")).filter(
    ([name, value]) => secret.test(name) && value !== "" && before[name] === value,
  );
  expect(kept).toEqual([]);
  expect(runbooks.unfollowed("credential-leaked")).toEqual([]);
});
