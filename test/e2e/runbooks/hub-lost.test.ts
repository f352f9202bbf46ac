/** docs/runbooks/hub-lost.md, followed to the letter. */
import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fingerprint, type Host } from "../../../sandbox/hosts.ts";
import { publicKey } from "../../../sandbox/peer.ts";
import { hostOf, tryRun } from "../family.ts";
import { readPage } from "./page.ts";
import { Runbooks } from "./runbooks.ts";

const DAMAGED = "Only some files are missing or damaged";

let runbooks: Runbooks;
let ursula: Host;
let repositories: string;

beforeAll(async () => {
  runbooks = await Runbooks.open();
  ursula = hostOf(runbooks.cluster, "ursula");
  repositories = runbooks.shells.hub.repositories;
});

afterAll(async () => {
  expect(await runbooks.end()).toEqual([]);
});

it("brings the hub's repositories back to a machine with another key, and the hosts go on", async () => {
  const own = fingerprint(ursula.data);
  await runbooks.shells.lose("hub");
  expect(existsSync(repositories)).toBe(false);
  const HUB_PUBLIC_KEY = `'${publicKey(ursula.identityFile)}'`;
  const sections = readPage("hub-lost").blocks.map(({ section }) => section);
  const only = sections.filter((section) => section !== DAMAGED);
  await runbooks.follow("hub-lost", { settings: { HUB_PUBLIC_KEY }, only });
  expect(fingerprint(ursula.data)).toEqual(own);
});

/** The largest pack of q, below its repository. */
function aPack(root: string): string {
  const data = join(root, "q", "data");
  const packs = readdirSync(data, { recursive: true, encoding: "utf8" });
  const pack = packs.find((name) => /[0-9a-f]{64}$/.test(name));
  if (pack === undefined) throw new Error("There is no pack");
  return join("q", "data", pack);
}

it("replaces a file that is damaged at the hub", async () => {
  const pack = aPack(repositories);
  const content = readFileSync(join(repositories, pack));
  writeFileSync(join(repositories, pack), Buffer.from(content).fill(0, 10, 20));
  await runbooks.follow("hub-lost", {
    settings: { DAMAGED: pack.replace(/^q\//, "") },
    only: [DAMAGED],
  });
  expect(readFileSync(join(repositories, pack)).equals(content)).toBe(true);
  expect(runbooks.unfollowed("hub-lost")).toEqual([]);
});

it("takes no file that is not what its name says, and gets it from the other target", async () => {
  const { hub } = runbooks.shells;
  const pack = aPack(repositories);
  const content = readFileSync(join(repositories, pack));
  rmSync(join(repositories, pack));
  const atPeer = join(runbooks.shells.settings().PEER_DATA ?? "", "repositories", pack);
  const there = readFileSync(atPeer);
  writeFileSync(atPeer, Buffer.from(there).fill(0, 10, 20));

  const first = await tryRun(hub, "fetch", "peer", "q");
  expect(first.ok).toBe(false);
  expect(first.said).toContain("its content is not what its name says; it was not taken");
  expect(existsSync(join(repositories, pack))).toBe(false);
  await hub.run("fetch", "cloud", "q");
  expect(readFileSync(join(repositories, pack)).equals(content)).toBe(true);
  writeFileSync(atPeer, there);
});

it("leaves a repository alone that a host has made anew meanwhile", async () => {
  const { hub } = runbooks.shells;
  const config = join(repositories, "q", "config");
  const before = readFileSync(config);
  appendFileSync(config, "another");
  const { ok, said } = await tryRun(hub, "fetch", "cloud", "q");
  expect(ok).toBe(false);
  expect(said).toContain(`mv ${repositories}/q ${repositories}/q.old`);
  writeFileSync(config, before);
  expect((await tryRun(hub, "fetch", "cloud")).said).toMatch(/q: complete, 0 files/);
});
