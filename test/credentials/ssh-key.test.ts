import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { knownHostsLine, restoreLines, sftpRemote } from "../../credentials/sftp-remotes.ts";
import { envFile } from "../../credentials/env-file.ts";
import { rcloneConf } from "../../credentials/rclone-conf.ts";
import { deriveSshKey, deriveSshKeys, hostKeyStanding } from "../../credentials/ssh-key.ts";
import { SEED, SSH_KEY } from "../config/valid.ts";

const HUB = { target: "nas" };
const Q = { target: "nas", host: "q" };

describe("a derived SSH key", () => {
  it("never changes: machines out there hold it", () => {
    expect(deriveSshKey(SEED, HUB, 1).publicKey).toMatchInlineSnapshot(
      `"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKjeW/FZ0JP/PfNfcS3E1wswFq07F5A5JC3Uj7mTvLhf"`,
    );
    expect(deriveSshKey(SEED, Q, 7).publicKey).toMatchInlineSnapshot(
      `"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOI8QhjEIB5Psg+ksnvjd12HzkNO/CUuVMS8wNRZ4rcp"`,
    );
  });

  it("is another for every target, host, generation and seed", () => {
    const keys = [
      deriveSshKey(SEED, HUB, 1),
      deriveSshKey(SEED, HUB, 2),
      deriveSshKey(SEED, Q, 1),
      deriveSshKey(SEED, { target: "other" }, 1),
      deriveSshKey(SEED.replaceAll(/^./g, "e"), HUB, 1),
    ].map(({ publicKey }) => publicKey);
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("is read by OpenSSH, which finds the same public key in it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fort-offsite-key-"));
    try {
      // Bodies of several lengths have several paddings.
      for (const generation of [1, 2, 3]) {
        const { privateKey, publicKey } = deriveSshKey(SEED, Q, generation);
        const file = join(folder, `key-${generation}`);
        writeFileSync(file, privateKey, { mode: 0o600 });
        const { stdout } = await execa("ssh-keygen", ["-y", "-P", "", "-f", file]);
        expect(stdout.trim()).toBe(publicKey);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("has no previous one at the first generation and after a revocation", () => {
    expect(deriveSshKeys(SEED, HUB, { generation: 1, revoked: 0 }).previous).toBeUndefined();
    expect(deriveSshKeys(SEED, HUB, { generation: 4, revoked: 3 }).previous).toBeUndefined();
    const { current, next, previous } = deriveSshKeys(SEED, HUB, { generation: 4, revoked: 2 });
    expect([previous, current, next]).toEqual(
      [3, 4, 5].map((generation) => deriveSshKey(SEED, HUB, generation)),
    );
  });
});

describe("the standing of a host's key", () => {
  const first = { generation: 1, revoked: 0 };
  const step = (host: object, target: object) =>
    hostKeyStanding({ ...first, ...host }, { ...first, ...target }).generation;

  it("goes up by one with the host's, and stays when the target is rotated with it", () => {
    expect(step({ generation: 2 }, {})).toBe(2);
    expect(step({}, { generation: 2 })).toBe(1);
    expect(step({ generation: 2 }, { generation: 2 })).toBe(2);
  });

  it("skips what a thief may hold as next when host or target are revoked", () => {
    expect(step({ generation: 3, revoked: 2 }, {})).toBe(3);
    expect(step({}, { generation: 3, revoked: 2 })).toBe(3);
    expect(step({ generation: 3, revoked: 2 }, { generation: 3, revoked: 2 })).toBe(5);
    // And nobody holds the one before as previous.
    const both = { generation: 3, revoked: 2 };
    expect(hostKeyStanding(first, both)).toEqual({ generation: 3, revoked: 2 });
  });
});

describe("the ways to an SFTP directory", () => {
  const connection = { host: "100.64.0.9", port: 2222, user: "fo-1_hub", hostKey: SSH_KEY };
  const keys = deriveSshKeys(SEED, Q, { generation: 2, revoked: 0 });

  it("pin the host key and its kind in rclone's settings, with the key on one line", () => {
    const text = rcloneConf([sftpRemote("nas", connection, keys.current)]);
    expect(text).toContain("host_key_algorithms = ssh-ed25519\n");
    expect(text).toContain(`host_keys = ${SSH_KEY}\n`);
    expect(text).toMatch(/^key_pem = -----BEGIN OPENSSH PRIVATE KEY-----\\n\S.*-----$/m);
    expect(text).toContain("shell_type = none\n");
    const rsa = { ...connection, hostKey: "ssh-rsa AAAA" };
    expect(sftpRemote("nas", rsa, keys.current).options.host_key_algorithms).toBe(
      "rsa-sha2-512 rsa-sha2-256",
    );
  });

  it("fit into a host's file, where systemd, a shell and Docker read the same", () => {
    const text = envFile(restoreLines("nas", connection, keys, "/repository"));
    const variables = new Map(
      text.split("\n").flatMap((line) => {
        const [, name = "", value = ""] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
        return name === "" ? [] : [[name, value] as const];
      }),
    );
    const decode = (name: string) => Buffer.from(variables.get(name) ?? "", "base64").toString();
    expect(decode("OFFSITE_NAS_KEY")).toBe(keys.current.privateKey);
    expect(decode("OFFSITE_NAS_KEY_NEXT")).toBe(keys.next.privateKey);
    expect(decode("OFFSITE_NAS_KEY_PREVIOUS")).toBe(keys.previous?.privateKey);
    expect(decode("OFFSITE_NAS_KNOWN_HOSTS")).toBe(`[100.64.0.9]:2222 ${SSH_KEY}\n`);
    expect(variables.get("RCLONE_CONFIG_NAS_USER")).toBe("fo-1_hub");
    expect(knownHostsLine({ ...connection, port: 22 })).toBe(`100.64.0.9 ${SSH_KEY}\n`);
  });
});
