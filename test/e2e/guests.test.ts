/** The brother's machines at the hub: what each may do, and all that it may not. */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { manifestSchema } from "../../config/manifest.ts";
import type { StatusReport } from "../../hub/status/report.ts";
import { fingerprint, parseEnv, unseal } from "../../sandbox/hosts.ts";
import type { Hub } from "../../sandbox/hub.ts";
import { newSshKey, publicKey } from "../../sandbox/peer.ts";
import { freePort } from "../../sandbox/world.ts";
import { startCluster, type Cluster } from "./cluster.ts";

let cluster: Cluster;
let hub: Hub;
let ports: Record<string, number>;

const GUESTS = ["laptop", "phone"] as const;
type Guest = (typeof GUESTS)[number];

const identityOf = (guest: Guest) => join(cluster.world.directory, `${guest}.key`);
const guestFile = (guest: string) => join(cluster.bundle, "guests", `${guest}.env.age`);
const directory = () => join(cluster.world.directory, "hub", "guests");

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"], () => ({ without: ["peer"] }));
  const { settings, stack, world } = cluster;
  const ssh = publicKey(await newSshKey(identityOf("laptop"), "brother"));
  await execa("age-keygen", ["--output", identityOf("phone")]);
  const { stdout: age } = await execa("age-keygen", ["-y", identityOf("phone")]);
  ports = { laptop: await freePort(), phone: await freePort() };
  const url = (guest: Guest) => `http://127.0.0.1:${ports[guest]}`;
  settings["fort-offsite:hub"] = {
    ...settings["fort-offsite:hub"],
    guestRepositories: join(world.directory, "hub", "guests"),
  } as never;
  settings["fort-offsite:guests"] = {
    laptop: { key: ssh, maxSizeGiB: 0.01, url: url("laptop") },
    phone: { key: age.trim(), maxSizeGiB: 1, url: url("phone") },
  };
  stack.configure(settings);
  await cluster.up();
  hub = await cluster.openHub();
  await hub.serve();
});

afterAll(async () => {
  expect(await cluster.end()).toEqual([]);
});

/** The guest's own file, opened with the guest's own key. */
async function opened(guest: Guest): Promise<string> {
  return await unseal(guestFile(guest), identityOf(guest));
}

/** Runs what the guest types after loading its file as the file says. */
async function asGuest(guest: Guest, command: string, env = opened(guest)) {
  const folder = cluster.world.folder("guests", guest);
  writeFileSync(join(folder, `${guest}.env`), await env, { mode: 0o600 });
  return await execa("/bin/sh", ["-c", `set -a; . ./${guest}.env; set +a; ${command}`], {
    cwd: folder,
    env: {
      RESTIC_PASSWORD: `only ${guest} knows`,
      RESTIC_CACHE_DIR: join(folder, "cache"),
      PATH: process.env.PATH,
    },
    extendEnv: false,
    all: true,
    reject: false,
  });
}

/** A request with somebody's user and password; the status that comes of it. */
async function http(
  method: string,
  url: string,
  env: Record<string, string>,
  body?: Uint8Array<ArrayBuffer>,
): Promise<number> {
  const { RESTIC_REST_USERNAME: user = "", RESTIC_REST_PASSWORD: password = "" } = env;
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const response = await fetch(url, { method, headers: { authorization }, ...(body && { body }) });
  await response.arrayBuffer();
  return response.status;
}

const base = (guest: Guest) => `http://127.0.0.1:${ports[guest]}/${guest}`;

/** The name of a file that the guest's repository has. */
function stored(guest: Guest, kind: string): string {
  const files = readdirSync(join(directory(), guest, guest, kind), {
    recursive: true,
    encoding: "utf8",
  });
  const [file = ""] = files.filter((name) => /[0-9a-f]{64}$/.test(name)).sort();
  return file.replace(/^.*\//, "");
}

async function statusOf(): Promise<StatusReport> {
  return JSON.parse(await hub.run("status", "--json", "--no-fail")) as StatusReport;
}

describe("a guest", () => {
  it("backs up and restores with restic as it is, and its file opened with its own key", async () => {
    for (const guest of GUESTS) {
      const data = cluster.world.folder("guests", guest, "data");
      mkdirSync(join(data, "photos"));
      writeFileSync(join(data, "photos", "one"), randomBytes(300_000));
      const done = await asGuest(
        guest,
        "restic init && restic backup data && restic restore latest --target back",
      );
      expect(done.exitCode, done.all).toBe(0);
      const back = join(cluster.world.directory, "guests", guest, "back", "data");
      expect(fingerprint(back)).toEqual(fingerprint(data));
    }
  });

  it("is told in its file what to do, and of the limit", async () => {
    const text = await opened("laptop");
    expect(text).toMatch(/^# .*restic init/m);
    expect(text).toContain("0.01 GiB");
    expect(parseEnv(text)).toEqual({
      RESTIC_REPOSITORY: `rest:${base("laptop")}/`,
      RESTIC_REST_USERNAME: "laptop-g1",
      RESTIC_REST_PASSWORD: expect.stringMatching(/^[\w-]{43}$/) as string,
    });
  });

  it("cannot open another guest's file, and no host's", async () => {
    await expect(unseal(guestFile("phone"), identityOf("laptop"))).rejects.toThrow();
    const host = join(cluster.bundle, "hosts", "q.env.age");
    await expect(unseal(host, identityOf("laptop"))).rejects.toThrow();
  });

  it("deletes and overwrites nothing, its own included", async () => {
    const env = parseEnv(await opened("laptop"));
    const other = new Uint8Array(randomBytes(100));
    for (const kind of ["snapshots", "data", "index", "keys"]) {
      const url = `${base("laptop")}/${kind}/${stored("laptop", kind)}`;
      expect(await http("GET", url, env), kind).toBe(200);
      expect(await http("DELETE", url, env), kind).toBe(403);
      expect(await http("POST", url, env, other), kind).toBe(403);
    }
    expect(await http("DELETE", `${base("laptop")}/config`, env)).toBe(403);
    expect(await http("POST", `${base("laptop")}/config`, env, other)).toBe(403);
    const forget = await asGuest("laptop", "restic forget --keep-last 1 --prune latest");
    expect(forget.exitCode, forget.all).not.toBe(0);
    const left = await asGuest("laptop", "restic snapshots --json");
    expect(JSON.parse(left.stdout)).toHaveLength(1);
  });

  it("is refused by the hosts' server and by every other guest's, and hosts and strangers are by its own", async () => {
    const laptop = parseEnv(await opened("laptop"));
    const q = parseEnv(
      await unseal(
        join(cluster.bundle, "hosts", "q.env.age"),
        cluster.hosts.find(({ name }) => name === "q")?.identityFile ?? "",
      ),
    );
    const atHub = manifestSchema.parse(
      JSON.parse(readFileSync(join(cluster.bundle, "offsite.json"), "utf8")),
    ).hub.url;
    for (const path of [
      "",
      "q/",
      "q/config",
      "q/snapshots/",
      "laptop/config",
      "laptop-g1/config",
    ]) {
      expect(await http("GET", `${atHub}${path}`, laptop), path).toBe(401);
      expect(await http("POST", `${atHub}${path}?create=true`, laptop), path).toBe(401);
    }
    for (const path of ["config", "snapshots/", "data/"]) {
      expect(await http("GET", `${base("phone")}/${path}`, laptop), path).toBe(401);
      expect(await http("GET", `${base("laptop")}/${path}`, q), path).toBe(401);
      const stranger = { RESTIC_REST_USERNAME: "laptop-g1", RESTIC_REST_PASSWORD: "guess" };
      expect(await http("GET", `${base("laptop")}/${path}`, stranger), path).toBe(401);
    }
  });

  it("does not get out of its directory by a path", async () => {
    const { RESTIC_REST_USERNAME: user, RESTIC_REST_PASSWORD: password } = parseEnv(
      await opened("laptop"),
    );
    for (const path of ["/../phone/phone/config", "/..%2fphone%2fphone/config", "//etc/config"]) {
      const url = `http://127.0.0.1:${ports.laptop}${path}`;
      const { stdout } = await execa(
        "curl",
        ["--silent", "--path-as-is", "--output", "/dev/null", "--write-out", "%{http_code}", "-K-"],
        { input: `url = "${url}"\nuser = "${user}:${password}"\n` },
      );
      expect(stdout, path).toMatch(/^(?:3\d\d|404)$/);
    }
  });

  it("is refused above its limit, goes on reading, and is seen in the status", async () => {
    const data = join(cluster.world.directory, "guests", "laptop", "data", "large");
    writeFileSync(data, randomBytes(12_000_000));
    const env = parseEnv(await opened("laptop"));
    const body = new Uint8Array(randomBytes(11_000_000));
    const id = createHash("sha256").update(body).digest("hex");
    expect(await http("POST", `${base("laptop")}/data/${id}`, env, body)).toBe(507);
    // restic tries again for long: it is not waited for.
    const full = await asGuest("laptop", "timeout 8 restic backup data");
    expect(full.exitCode, full.all).not.toBe(0);
    expect(full.all).toMatch(/507|Insufficient Storage/i);
    const back = await asGuest("laptop", "restic restore --no-lock latest --target again");
    expect(back.exitCode, back.all).toBe(0);
    rmSync(data);
    const { guests, notices } = await statusOf();
    const { laptop, phone } = guests;
    expect(laptop).toMatchObject({ snapshots: 1, limitBytes: 10_737_418 });
    expect(laptop?.bytes).toBeLessThanOrEqual(10_737_418);
    expect(phone?.snapshots).toBe(1);
    expect(phone?.lastBackup).not.toBeNull();
    expect(notices.join("\n")).not.toMatch(/phone/);
  });

  it("that takes more of the disk than rest-server counts is shut out, alone", async () => {
    const env = parseEnv(await opened("laptop"));
    // rest-server counts no config file, and knows repositories below a repository.
    for (let n = 0; hub.guests.failure("laptop") === undefined && n < 20; n += 1) {
      const url = `${base("laptop")}/more${n}`;
      await http("POST", `${url}/?create=true`, env).catch(() => 0);
      const body = new Uint8Array(8_000_000);
      await http("POST", `${url}/config`, env, body).catch(() => 0);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(hub.guests.failure("laptop")).toMatch(
      /laptop takes \d+ bytes of the disk.*docs\/guests/,
    );
    const phone = await asGuest("phone", "restic snapshots");
    expect(phone.exitCode, phone.all).toBe(0);
    const { problems, healthy } = await statusOf();
    expect(healthy).toBe(false);
    expect(problems.join("\n")).toMatch(/guest laptop: takes .* of the disk/);
    await expect(hub.guests.serve()).rejects.toThrow(/laptop takes \d+ bytes/);
    for (const name of readdirSync(join(directory(), "laptop", "laptop"))) {
      if (name.startsWith("more"))
        rmSync(join(directory(), "laptop", "laptop", name), { recursive: true });
    }
    await hub.guests.serve();
    expect((await asGuest("laptop", "restic snapshots")).exitCode).toBe(0);
  });
});

describe("the hub", () => {
  it("mirrors, verifies and lists no guest, and misses none", async () => {
    const { hosts, targets, unowned } = await statusOf();
    expect(Object.keys(hosts).sort()).toEqual(["q", "ursula"]);
    expect(unowned).toEqual([]);
    expect(Object.values(targets).flatMap((each) => Object.keys(each.hosts))).not.toContain(
      "laptop",
    );
  });

  it("tells of guests in its table and its metrics", async () => {
    const table = await hub.run("status", "--no-fail");
    expect(table).toMatch(/laptop .*0\.01 GiB|laptop .*10(\.\d)? MiB/);
    const metrics = await hub.run("metrics");
    expect(metrics).toMatch(/^offsite_guest_limit_bytes\{guest="laptop"\} 10737418$/m);
    expect(metrics).toMatch(/^offsite_guest_snapshots\{guest="phone"\} 1$/m);
    expect(metrics).toMatch(/^offsite_guest_backup_last_timestamp_seconds\{guest="phone"\} \d+/m);
  });
});

describe("a guest's rotation", () => {
  let first: string;
  const works = async (guest: Guest, env: string) => {
    const { exitCode, all } = await asGuest(guest, "restic backup data", Promise.resolve(env));
    return exitCode === 0 ? "yes" : all.includes("401") ? "refused" : all;
  };

  it("lets the old file go on, before and after the hub is deployed, and the new one too", async () => {
    first = await opened("laptop");
    const other = readFileSync(guestFile("phone"));
    const rotated = await cluster.offsite("rotate", "laptop", "--yes");
    expect(rotated.exitCode, rotated.all).toBe(0);
    expect(rotated.all).toMatch(/Give the owner of laptop the new guests\/laptop\.env/);
    const second = await opened("laptop");
    expect(parseEnv(second).RESTIC_REST_USERNAME).toBe("laptop-g2");
    expect(rotated.all).not.toContain(parseEnv(second).RESTIC_REST_PASSWORD);
    expect(await works("laptop", second)).toBe("yes");
    await hub.deploy();
    expect(await works("laptop", first)).toBe("yes");
    expect(await works("laptop", second)).toBe("yes");
    expect(readFileSync(guestFile("phone")).equals(other)).toBe(true);
  });

  it("after a leak refuses everything that was handed out, and serves no guest that left", async () => {
    const second = await opened("laptop");
    const { laptop } = cluster.settings["fort-offsite:guests"] ?? {};
    cluster.stack.configure({
      "fort-offsite:guests": { laptop: { ...laptop, generation: 4, revoked: 3 } },
    });
    const said = await cluster.up();
    expect(said).toMatch(/guest phone is no longer in the config.*stays in .*hub\/guests\/phone/);
    expect(readdirSync(join(cluster.bundle, "guests")).sort()).toEqual([
      "laptop.env.age",
      "laptop.htpasswd.age",
    ]);
    const owed = await cluster.offsite("verify", "laptop");
    expect(owed.exitCode, owed.all).toBe(1);
    expect(owed.stderr).toMatch(/guest laptop, server: .*generation 4, which is in force\. Deploy/);
    expect(owed.stderr).toMatch(
      /still accepts .* generation 3, which is revoked\. Deploy ursula NOW/,
    );
    await hub.deploy();
    const verified = await cluster.offsite("verify", "laptop");
    expect(verified.exitCode, verified.all).toBe(0);
    expect(verified.stdout).toMatch(/laptop .*ok.*refuses what is revoked, strangers and deletion/);
    expect(await works("laptop", first)).toBe("refused");
    expect(await works("laptop", second)).toBe("refused");
    expect(await works("laptop", await opened("laptop"))).toBe("yes");
    await expect(http("GET", `${base("phone")}/config`, {})).rejects.toThrow();
    // What is there of it stays until somebody deletes it.
    expect(stored("phone", "snapshots")).toMatch(/^[0-9a-f]{64}$/);
    const { guests, notices } = await statusOf();
    expect(Object.keys(guests)).toEqual(["laptop"]);
    expect(notices.join("\n")).toMatch(/guests\/phone" \(.*\) belongs to no guest any more/);
  });
});
