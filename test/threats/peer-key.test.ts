/** The way to the peer as its administrator, which no thief of the state may find there. */
import { beforeEach, expect, it } from "vitest";
import { RestServerTarget } from "../../components/rest-server-target.ts";
import { parseStackConfig } from "../../config/parse.ts";
import type { RestServerTargetConfig } from "../../config/stack.ts";
import { HashMemory } from "../../credentials/htpasswd.ts";
import {
  named,
  recordRegistrations,
  reveal,
  settle,
  type Registration,
} from "../components/mocks.ts";
import { raw, SEED, validConfig } from "../config/valid.ts";

const config = parseStackConfig(raw(validConfig()), "test");
let registrations: Registration[];

beforeEach(async () => {
  registrations = await recordRegistrations();
});

it("a peer that is reached with the operator's SSH agent leaves no private key in the state", async () => {
  new RestServerTarget("peer", {
    stack: "test",
    hosts: config.hosts,
    seed: SEED,
    hashes: new HashMemory(),
    sshPrivateKey: undefined,
    target: config.targets.peer as RestServerTargetConfig,
  });
  await settle();
  const connection = reveal(named(registrations, "peer-server").inputs.connection).value;
  const names = Object.keys(connection as object);
  expect(names).toEqual(expect.arrayContaining(["host", "hostKey", "port", "user"]));
  expect(names).not.toContain("privateKey");
});
