import { execa } from "execa";
import { beforeEach, describe, expect, it } from "vitest";
import { HashMemory } from "../../credentials/htpasswd.ts";
import { RestServerTarget } from "../../components/rest-server-target.ts";
import { parseStackConfig } from "../../config/parse.ts";
import type { RestServerTargetConfig } from "../../config/stack.ts";
import { envFile } from "../../credentials/env-file.ts";
import { raw, SEED, SSH_KEY, validConfig } from "../config/valid.ts";
import { named, recordRegistrations, reveal, settle, valueOf, type Registration } from "./mocks.ts";

const config = parseStackConfig(raw(validConfig()), "test");

function newTarget(change: Partial<RestServerTargetConfig> = {}, sshPrivateKey?: string) {
  const target = { ...(config.targets.peer as RestServerTargetConfig), ...change };
  return new RestServerTarget("peer", {
    stack: "test",
    hosts: config.hosts,
    seed: SEED,
    hashes: new HashMemory(),
    sshPrivateKey,
    target,
  });
}

describe("a rest-server target", () => {
  let registrations: Registration[];
  beforeEach(async () => {
    registrations = await recordRegistrations();
  });
  const server = async () => {
    await settle();
    return named(registrations, "peer-server").inputs;
  };

  it("is installed over SSH with the host key pinned", async () => {
    newTarget();
    const inputs = await server();
    expect(reveal(inputs.connection).value).toMatchObject({
      host: "100.64.0.9",
      port: 22,
      user: "root",
      hostKey: SSH_KEY,
    });
  });

  it("works as root, or through sudo, without the settings saying which", async () => {
    newTarget({ ssh: { host: "peer", port: 22, user: "brother", hostKey: SSH_KEY } });
    const other = await server();
    expect(String(other.create)).toMatch(/ sh install$/);
    expect(String(other.delete)).toMatch(/ sh remove$/);
    const { stdout } = await execa("sh", ["-c", String(other.create)], {
      input: 'printf "%s as %s" "$*" "$(id -u)"',
    });
    expect(stdout).toBe("install as 0");
    registrations.length = 0;
    newTarget();
    const { create, update, delete: remove } = await server();
    expect([create, update, remove]).toEqual([other.create, other.update, other.delete]);
  });

  it("keeps the script with the credentials, and the private key, secret", async () => {
    newTarget({}, "a private key");
    const { stdin, connection } = await server();
    expect(reveal(stdin).secret).toBe(true);
    expect(reveal(connection).secret).toBe(true);
    expect(reveal(connection).value).toMatchObject({ privateKey: "a private key" });
  });

  it("sends no password to the peer, only what verifies them", async () => {
    const target = newTarget();
    const { stdin } = await server();
    const script = String(reveal(stdin).value);
    const credentials = await valueOf(target.hubCredentials);
    if (credentials.type !== "rest-server") throw new Error("not a rest-server");
    const decoded = [...script.matchAll(/^\w+_b64='([^']*)'$/gm)].map((match) =>
      Buffer.from(match[1] ?? "", "base64").toString("utf8"),
    );
    expect(decoded).toHaveLength(2);
    for (const { current, next, previous } of Object.values(credentials.users)) {
      for (const password of [current, next, previous]) {
        if (password !== null) expect(script + decoded.join("")).not.toContain(password);
      }
    }
    expect(decoded.join("")).toMatch(/^q:\$2y\$/m);
  });

  it("turns a host's password over with the host's and with the target's generation", async () => {
    const user = async (target: RestServerTarget) => {
      const credentials = await valueOf(target.hubCredentials);
      if (credentials.type !== "rest-server") throw new Error("not a rest-server");
      return credentials.users.q;
    };
    const before = await user(newTarget());
    const after = await user(newTarget({ generation: 2 }));
    expect(before?.generation).toBe(3);
    expect(after?.generation).toBe(4);
    expect(after?.current).toBe(before?.next);
    expect(after?.previous).toBe(before?.current);
  });

  it("gives a host its own credential to restore with", async () => {
    const target = newTarget({ url: "https://peer.example/backups" });
    const content = envFile(await valueOf(target.restoreEnvironment("q")));
    expect(content).toContain("OFFSITE_PEER_REPOSITORY=rest:https://peer.example/backups/q/\n");
    expect(content).toMatch(/^OFFSITE_PEER_PASSWORD=.{43}$/m);
    expect(content).toMatch(/^OFFSITE_PEER_PASSWORD_NEXT=.{43}$/m);
    expect(content).toMatch(/^OFFSITE_PEER_PASSWORD_PREVIOUS=.{43}$/m);
  });

  it("can listen on an address of IPv6", async () => {
    const target = newTarget({ listen: "[fd7a:0:0::9]:8000" });
    const content = envFile(await valueOf(target.restoreEnvironment("q")));
    expect(content).toContain("OFFSITE_PEER_REPOSITORY=rest:http://[fd7a:0:0::9]:8000/q/\n");
    const script = String(reveal((await server()).stdin).value);
    expect(script).toContain("listen_address='fd7a::9'\n");
    expect(script).toContain(`listen_ipv6='fd7a${"0".repeat(27)}9'\n`);
  });

  it("tells the public where it is, and nothing else", () => {
    expect(newTarget().manifest).toEqual({
      type: "rest-server",
      url: "http://100.64.0.9:8000/",
      maxSizeGiB: 200,
      repositories: {
        drhorrible: "rest:http://100.64.0.9:8000/drhorrible/",
        q: "rest:http://100.64.0.9:8000/q/",
        ursula: "rest:http://100.64.0.9:8000/ursula/",
      },
    });
  });
});
