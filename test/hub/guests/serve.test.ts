import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { htpasswdFile, guestUser } from "../../../credentials/htpasswd.ts";
import { derivePassword } from "../../../credentials/derive.ts";
import { listens } from "../../../sandbox/peer.ts";
import { freePort, PROJECT, waitFor } from "../../../sandbox/world.ts";
import { SEED } from "../../config/valid.ts";

const SCRIPT = join(PROJECT, "hub", "guests", "serve.sh");
const OWNER = { at: "guest", guest: "laptop" } as const;

let root: string;
let port: number;
let server: ChildProcess | undefined;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "offsite-guest-"));
  port = await freePort();
  mkdirSync(join(root, "files"));
  writeFileSync(join(root, "users"), htpasswdFile(SEED, [{ owner: OWNER, generation: 3 }]));
});

afterEach(async () => {
  if (server?.exitCode === null && server.signalCode === null) {
    const ended = once(server, "exit");
    process.kill(-(server.pid ?? 0), "SIGKILL");
    await ended;
  }
  server = undefined;
  rmSync(root, { recursive: true, force: true });
});

const environment = (more: Record<string, string> = {}) => ({
  ...{ GUEST: "laptop", GUEST_DIRECTORY: join(root, "files"), GUEST_HTPASSWD: join(root, "users") },
  ...{ GUEST_MAX_BYTES: "1000000", GUEST_PAUSE: "1", ...more },
});

async function serve(more: Record<string, string> = {}): Promise<ChildProcess> {
  const env = { ...process.env, ...environment(more) };
  const args = [SCRIPT, `--listen=127.0.0.1:${port}`];
  server = spawn("/bin/sh", args, { env, detached: true, stdio: "ignore" });
  await waitFor("the server", () => listens(port));
  return server;
}

async function http(method: string, path: string, body?: string): Promise<number> {
  const password = derivePassword(SEED, OWNER, 3);
  const authorization = `Basic ${btoa(`${guestUser("laptop", 3)}:${password}`)}`;
  const url = `http://127.0.0.1:${port}/laptop/${path}`;
  const response = await fetch(url, { method, headers: { authorization }, ...(body && { body }) });
  await response.arrayBuffer();
  return response.status;
}

const CONTENT = "a snapshot";
const SNAPSHOT = `snapshots/${createHash("sha256").update(CONTENT).digest("hex")}`;

describe("a guest's server", () => {
  it("deletes nothing, but for the while in which its owner is let prune", async () => {
    const first = await serve();
    expect(await http("POST", "?create=true")).toBe(200);
    expect(await http("POST", SNAPSHOT, CONTENT)).toBe(200);
    expect(await http("DELETE", SNAPSHOT)).toBe(403);
    const ended = once(first, "exit");
    process.kill(-(first.pid ?? 0), "SIGTERM");
    await ended;
    await serve({ GUEST_MAY_DELETE: "1" });
    expect(await http("DELETE", SNAPSHOT)).toBe(200);
    expect(await http("GET", SNAPSHOT)).toBe(404);
  });

  it("is not started over a directory that is too large already", async () => {
    writeFileSync(join(root, "files", "large"), Buffer.alloc(70_000_000, 1));
    const large = await execa("/bin/sh", [SCRIPT], { env: environment(), reject: false });
    expect(large).toMatchObject({ exitCode: 1 });
    expect(large.stderr).toMatch(/^error: laptop takes 70\d+ bytes of the disk in \d+ files/);
  });

  it("is not started where nobody can tell how much there is", async () => {
    const env = environment({ GUEST_DIRECTORY: join(root, "nowhere") });
    const nowhere = await execa("/bin/sh", [SCRIPT], { env, reject: false });
    expect(nowhere).toMatchObject({ exitCode: 1 });
    expect(nowhere.stderr).toMatch(/^error: du tells nothing of .*nowhere/);
  });

  it("is killed, and not merely ended, when it grows too large", async () => {
    const child = await serve();
    const ended = once(child, "exit");
    writeFileSync(join(root, "files", "large"), Buffer.alloc(70_000_000, 1));
    const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
    expect(signal).toBe("SIGKILL");
  });
});
