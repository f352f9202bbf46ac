/** The client's script against a hub that changes its mind: real bash and curl, and a restic of the test's. */
import { readFileSync, writeFileSync, chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { execa, type Options } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { envFile } from "../../../credentials/env-file.ts";
import { PROJECT } from "../../../sandbox/world.ts";

const CLIENT = join(PROJECT, "hub", "nix", "client", "offsite-restic");

let root: string;
let server: Server;
/** The password that the hub accepts. */
let accepted: string;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "offsite-client-"));
  accepted = "current";
  server = createServer((request, response) => {
    const [, basic = ""] = (request.headers.authorization ?? "").split(" ");
    const [, password] = Buffer.from(basic, "base64").toString().split(":");
    if (request.url === "/accept-next") accepted = "next";
    if (request.url === "/accept-current") accepted = "current";
    response.writeHead(request.url !== "/q/config" || password === accepted ? 200 : 401).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  writeFileSync(
    join(root, "host.env"),
    envFile([
      ["RESTIC_REPOSITORY", `rest:${url()}/q/`],
      ["RESTIC_REST_USERNAME", "q"],
      ["RESTIC_REST_PASSWORD", "current"],
      ["OFFSITE_HUB_PASSWORD_NEXT", "next"],
      ["OFFSITE_HUB_PASSWORD_PREVIOUS", ""],
      ["OFFSITE_PEER_PASSWORD", "for-restoring"],
    ]),
  );
});

afterEach(() => {
  server.close();
  rmSync(root, { recursive: true });
});

function url(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Starts the script with a restic that notes its password and its arguments, and then does so. */
function start(work: string, options: Options = { stdin: "ignore" }) {
  const program = join(root, "restic");
  const note = `echo "$RESTIC_REST_PASSWORD $*" >>${root}/runs`;
  writeFileSync(program, `#!/bin/bash\n${note}\n[ "$1" = unlock ] && exit 0\n${work}\n`);
  chmodSync(program, 0o755);
  const env = { OFFSITE_RESTIC: program, OFFSITE_PAUSE: "0", OFFSITE_RETRIES: "0" };
  const all = { ...options, env, reject: false, detached: true } as const;
  return execa("bash", [CLIENT, join(root, "host.env"), "backup", "/var/lib"], all);
}

function runs(): string[] {
  return readFileSync(join(root, "runs"), "utf8").trimEnd().split("\n");
}

describe("offsite-restic", () => {
  it("runs restic again, once, with what the hub has come to accept, and takes its lock away", async () => {
    const { exitCode, stderr } = await start(
      `[ "$RESTIC_REST_PASSWORD" = next ] && exit 0; curl -s ${url()}/accept-next; exit 1`,
    );
    expect(exitCode, String(stderr)).toBe(0);
    const expected = ["current backup /var/lib", "next unlock --quiet", "next backup /var/lib"];
    expect(runs()).toEqual(expected);
    expect(stderr).toContain("running it again");
  });

  it("ends as restic does when the failure is another", async () => {
    expect((await start("exit 12")).exitCode).toBe(12);
    expect(runs()).toHaveLength(1);
  });

  it("makes no second snapshot when some files could not be read", async () => {
    const { exitCode } = await start(`curl -s ${url()}/accept-next; exit 3`);
    expect(exitCode).toBe(3);
    expect(runs()).toHaveLength(1);
  });

  it("repeats nothing that has read its standard input", async () => {
    const work = `cat >/dev/null; curl -s ${url()}/accept-next; exit 1`;
    expect((await start(work, { input: "a dump" })).exitCode).toBe(1);
    expect(runs()).toHaveLength(1);
  });

  it("gives up after five runs when the hub changes over in each", async () => {
    const other = '$([ "$RESTIC_REST_PASSWORD" = next ] && echo current || echo next)';
    const { exitCode } = await start(`curl -s ${url()}/accept-${other}; exit 1`);
    expect(exitCode).toBe(1);
    expect(runs().filter((run) => run.includes("backup"))).toHaveLength(5);
  });

  it("ends with restic, and does not begin again, when it is ended", async () => {
    const run = start(`curl -s ${url()}/accept-next; sleep 60`);
    for (let tries = 0; accepted !== "next" && tries < 200; tries += 1) await setTimeout(20);
    process.kill(-(run.pid ?? 0), "SIGTERM");
    expect((await run).exitCode).not.toBe(0);
    expect(runs()).toHaveLength(1);
  });

  it("gives restic nothing of what restores from elsewhere", async () => {
    await start(`env >${root}/environment`);
    const environment = readFileSync(join(root, "environment"), "utf8");
    expect(environment).toContain("RESTIC_REST_PASSWORD=current");
    expect(environment).not.toContain("OFFSITE_PEER_PASSWORD");
    expect(environment).not.toContain("OFFSITE_HUB_PASSWORD");
  });

  it("says how it is used when it is not told what to do", async () => {
    const { exitCode, stderr } = await execa("bash", [CLIENT], { reject: false });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("offsite-restic /etc/offsite/host.env backup /var/lib");
  });
});
