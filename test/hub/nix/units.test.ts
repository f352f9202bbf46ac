/** Every command of the units is run, in the order of their timers, by what systemd would do. */
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { restic } from "../world.ts";
import { House, HOST, HUB } from "./house.ts";
import { Machine, type UnitRun } from "./machine.ts";
import { find } from "./programs.ts";

const BACKUP = "restic-backups-offsite";

const house = new House();

beforeAll(async () => {
  await house.build();
  await house.startDatabase();
  const folder = house.host.path("/var/lib/pocket-id");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "key"), "crown jewels", { mode: 0o600 });
  writeFileSync(join(folder, "today.log"), "noise");
  const database = join(folder, "it's.db");
  const sql =
    "pragma journal_mode=wal; create table clients (name); insert into clients values (1)";
  await execa(find("sqlite3"), [database, sql]);
  // Somebody else's, whom root without all its powers must be able to read.
  if (Machine.isRoot) {
    for (const file of [folder, join(folder, "key"), database]) chownSync(file, 4711, 4711);
  }
  mkdirSync(house.hub.path("/var/lib/jellyfin"), { recursive: true });
  writeFileSync(join(house.hub.path("/var/lib/jellyfin"), "state"), "the hub's own");
});

afterAll(async () => house.close());

/** Runs a unit that must succeed. */
async function succeeds(machine: Machine, unit: string): Promise<UnitRun> {
  const run = await machine.start(unit);
  expect(run.result, `${unit}: ${run.journal}`).toBe("success");
  return run;
}

/** The newest snapshot's paths of a host at the hub, as the host names them. */
async function newest(name: string, machine: Machine): Promise<string[]> {
  const out = await restic(house.world, house.world.at(name), "ls", "--no-lock", "latest");
  const prefix = machine.path("/var/lib/").replace("/var/lib/", "");
  return out.split("\n").map((line) => line.replace(prefix, ""));
}

async function snapshots(name: string): Promise<number> {
  const out = await restic(house.world, house.world.at(name), "snapshots", "--no-lock", "--json");
  return (JSON.parse(out) as unknown[]).length;
}

function hostMetrics(): string {
  return readFileSync(house.host.path("/var/lib/offsite-metrics/offsite-client.prom"), "utf8");
}

describe("a host's backup", () => {
  it("makes its repository, and backs up what there is and dumps of the databases", async () => {
    await succeeds(house.host, BACKUP);
    const paths = await newest(HOST, house.host);
    expect(paths).toContain("/var/lib/pocket-id/key");
    expect(paths).toContain("/run/restic-backups-offsite/dumps/postgresql.sql");
    expect(paths.filter((path) => path.endsWith("/it's.db"))).toHaveLength(2);
    expect(paths.filter((path) => path.endsWith(".log"))).toEqual([]);
    expect(hostMetrics()).toMatch(/^offsite_client_last_run_success 1$/m);
    expect(hostMetrics()).toMatch(/^offsite_client_credential\{credential="current"\} 1$/m);
  });

  it("leaves no dump behind, and has none that others could read meanwhile", async () => {
    expect(existsSync(house.host.path("/run/restic-backups-offsite"))).toBe(false);
    const args = ["ls", "--no-lock", "--long", "latest"];
    const out = await restic(house.world, house.world.at(HOST), ...args);
    const dumps = out.split("\n").filter((line) => /^[d-].* \S+\/dumps/.test(line));
    expect(dumps.length).toBeGreaterThan(3);
    expect(dumps.filter((line) => !/^[d-]rw[x-]------ /.test(line))).toEqual([]);
  });

  it.each(["next", "previous"] as const)(
    "goes on with the %s credential when the hub accepts that one alone, and says so",
    async (credential) => {
      await house.serve(credential);
      const { journal } = await succeeds(house.host, BACKUP);
      expect(journal).toContain(`the hub accepted the ${credential} credential`);
      expect(hostMetrics()).toMatch(
        new RegExp(`^offsite_client_credential\\{credential="${credential}"\\} 1$`, "m"),
      );
      const owes = { next: "host", previous: "hub" }[credential];
      for (const by of ["host", "hub"]) {
        expect(hostMetrics()).toContain(
          `offsite_client_deployment_owed{by="${by}"} ${Number(by === owes)}\n`,
        );
      }
      await house.serve("current");
    },
  );

  it("is run again with what is accepted now when the hub is deployed in its middle", async () => {
    const before = await snapshots(HOST);
    const { journal, result } = await house.whileBackingUp(BACKUP, () => house.serve("next"));
    await house.serve("current");
    expect(result, journal).toBe("success");
    expect(journal.match(/the hub has changed over to another credential/g)).toHaveLength(1);
    expect(await snapshots(HOST)).toBe(before + 1);
    expect(hostMetrics()).toMatch(/^offsite_client_deployment_owed\{by="host"\} 1$/m);
  });

  it("outlasts two rotations when this host and the hub are deployed in its middle", async () => {
    const old = { ...house.credentials };
    const { journal, result } = await house.whileBackingUp(BACKUP, async () => {
      house.rotate();
      house.rotate();
      await house.serve("current");
    });
    expect(result, journal).toBe("success");
    expect(Object.values(old)).not.toContain(house.credentials.current);
    expect(hostMetrics()).toMatch(/^offsite_client_credential\{credential="current"\} 1$/m);
  });

  it("is not run again for a failure that is none of the credential's", async () => {
    const data = join(house.world.at(HOST), "keys");
    const { journal, result } = await house.whileBackingUp(BACKUP, async () => {
      await execa("mv", [data, `${data}.away`]);
    });
    await execa("mv", [`${data}.away`, data]);
    expect(result).toBe("exit-code");
    expect(journal).not.toContain("running it again");
  });

  it("fails with the way out when the hub refuses all three", async () => {
    await house.serve("another");
    const { journal, result } = await house.host.start(BACKUP);
    await house.serve("current");
    expect(result).toBe("exit-code");
    expect(journal).toMatch(
      /error: the hub refuses every credential .*\(HTTP 401\)\. .* Deploy both/,
    );
    expect(hostMetrics()).toMatch(/^offsite_client_credential\{credential="refused"\} 1$/m);
    expect(hostMetrics()).toMatch(/^offsite_client_deployment_owed\{by="host"\} 1$/m);
    expect(hostMetrics()).toMatch(/^offsite_client_deployment_owed\{by="hub"\} 1$/m);
    expect(hostMetrics()).toMatch(/^offsite_client_last_run_success 0$/m);
    expect(hostMetrics()).toMatch(/^offsite_client_last_success_timestamp_seconds \d+$/m);
  });

  it("backs the rest up when a database cannot be dumped, and then fails", async () => {
    await house.stopDatabase();
    const before = await snapshots(HOST);
    const { journal, result } = await house.host.start(BACKUP);
    expect(result).toBe("exit-code");
    expect(journal).toContain("not in this backup, because it could not be dumped: PostgreSQL");
    expect(await snapshots(HOST)).toBe(before + 1);
    const paths = await newest(HOST, house.host);
    expect(paths.filter((path) => path.includes("postgresql.sql"))).toEqual([]);
    expect(paths.filter((path) => path.endsWith("/it's.db"))).toHaveLength(2);
    await house.startDatabase();
  });

  it("makes no new repository where one has been", async () => {
    const hidden = `${house.world.at(HOST)}.elsewhere`;
    await execa("mv", [house.world.at(HOST), hidden]);
    const { journal, result } = await house.host.start(BACKUP);
    expect(result).toBe("exit-code");
    expect(journal).toContain("the hub has no repository of this host any more");
    expect(existsSync(house.world.at(HOST))).toBe(false);
    await execa("mv", [hidden, house.world.at(HOST)]);
  });

  it("makes no repository when the server does not say that there is none", async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.method ?? "");
      response.writeHead(403).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const file = house.host.path("/run/secrets/offsite-host");
    const content = readFileSync(file, "utf8");
    house.secret(house.host, "offsite-host", content.replaceAll(/:\d+\//g, `:${port}/`), false);
    const { result } = await house.host.start(BACKUP);
    house.secret(house.host, "offsite-host", content, false);
    server.close();
    expect(result).toBe("exit-code");
    expect(asked).not.toContain("POST");
    expect(asked).not.toEqual([]);
  });

  it("does not take the hub's repositories into the hub's own backup", async () => {
    await succeeds(house.hub, BACKUP);
    const paths = await newest(HUB, house.hub);
    expect(paths).toContain("/var/lib/jellyfin/state");
    const excluded = house.hub.service(BACKUP).serviceConfig.ExecStart;
    const file = /--exclude-file=(\S+)/.exec(String(excluded))?.[1] ?? "";
    expect(readFileSync(file, "utf8").split("\n")).toContain(house.world.repositories);
    expect(paths.filter((path) => path.includes("offsite-drill"))).toEqual([]);
  });
});

describe("the hub", () => {
  beforeAll(async () => {
    await succeeds(house.host, BACKUP);
  });

  /** Only prune may write to the repositories; the unit's ReadWritePaths= say the same. */
  async function repositoriesAre(mode: "+w" | "-w"): Promise<void> {
    await execa("chmod", ["-R", `u${mode}`, house.world.repositories]);
  }

  it.each(["cloud", "peer"])("copies every repository to %s", async (target) => {
    await repositoriesAre("-w");
    const unit = `offsite-mirror-${target}`;
    await succeeds(house.hub, unit);
    const place = target === "peer" ? house.world.peerData : house.world.cloudData;
    for (const host of [HOST, HUB]) {
      expect(house.world.filesAt(place, host, "snapshots")).toHaveLength(await snapshots(host));
    }
  });

  it("prunes as the repositories' owner", async () => {
    await repositoriesAre("+w");
    await succeeds(house.hub, "offsite-prune");
    const strangers = Machine.isRoot
      ? ["!", "-user", "65534"]
      : ["!", "-user", `${process.getuid?.()}`];
    const { stdout } = await execa("find", [house.world.repositories, ...strangers]);
    expect(stdout).toBe("");
  });

  it("verifies both targets", async () => {
    await repositoriesAre("-w");
    await succeeds(house.hub, "offsite-verify");
  });

  it("restores a host, checks its databases, and leaves nothing of it behind", async () => {
    const { journal } = await succeeds(house.hub, "offsite-drill");
    expect(journal).toMatch(/cloud drhorrible: restored, .* 3 checks passed/);
    expect(journal).not.toContain("not loaded");
    const { stdout } = await execa("find", [
      house.hub.path("/var/lib/offsite-drill"),
      "-type",
      "f",
    ]);
    expect(stdout).toBe("");
  });

  it("notices a copy that was broken on purpose", async () => {
    await succeeds(house.hubAgain, "offsite-drill-control");
    await repositoriesAre("+w");
  });

  it("finds all well, and writes metrics that the node exporter may read", async () => {
    await succeeds(house.hub, "offsite-status");
    await succeeds(house.hub, "offsite-metrics");
    const file = house.hub.path("/var/lib/offsite-metrics/offsite-hub.prom");
    expect(readFileSync(file, "utf8")).toMatch(/^offsite_/m);
    const { stdout } = await execa("stat", ["-c", "%a", file]);
    expect(stdout).toBe("644");
  });

  it("answers the capabilities' requests with an empty PATH", async () => {
    const ask = async (name: string, request: unknown) => {
      const handler = house.hub.system.handlers[`backup-${name}`] ?? "";
      return await execa(handler, {
        input: JSON.stringify(request),
        env: { PATH: "", FORT_ORIGIN: "dev-sandbox" },
        extendEnv: false,
        reject: false,
      });
    };
    const status = await ask("status", {});
    expect(status.exitCode, status.stderr).toBe(0);
    expect(JSON.parse(status.stdout)).toMatchObject({ hosts: { [HOST]: {}, [HUB]: {} } });
    const list = await ask("list", { host: HOST });
    expect(list.exitCode, list.stderr).toBe(0);
    expect(list.stdout).toContain(HOST);
    const trigger = await ask("trigger", { host: HOST });
    expect(trigger.exitCode).toBe(1);
    expect(JSON.parse(trigger.stdout)).toHaveProperty("error");
  });

  it("gives the operator a command that works as the repositories' owner", async () => {
    const command = house.hub.system.commands.find((each) => each.endsWith("-offsite-hub")) ?? "";
    const options = { env: { PATH: "" }, extendEnv: false };
    const { stdout } = await execa(
      `${command}/bin/offsite-hub`,
      ["prune", "--dry-run", "--json"],
      options,
    );
    expect(JSON.parse(stdout)).toHaveProperty("hosts");
  });
});
