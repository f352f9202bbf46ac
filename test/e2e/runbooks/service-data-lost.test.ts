/** docs/runbooks/service-data-lost.md, followed to the letter: files, SQLite, PostgreSQL. */
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fingerprint, type Host } from "../../../sandbox/hosts.ts";
import { waitFor } from "../../../sandbox/world.ts";
import { ensurePrograms } from "../../../tools/index.ts";
import { hostOf } from "../family.ts";
import { Runbooks } from "./runbooks.ts";

/** PostgreSQL runs as nobody: root is refused. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const VIKUNJA = "var/lib/vikunja/vikunja.db";

let runbooks: Runbooks;
let q: Host;
let programs: Record<"initdb" | "postgres" | "psql" | "sqlite3", string>;
let server: Record<string, string>;

beforeAll(async () => {
  runbooks = await Runbooks.open();
  q = hostOf(runbooks.cluster, "q");
  const found = await ensurePrograms(["initdb", "postgres", "psql", "sqlite3"]);
  const path = (name: "initdb" | "postgres" | "psql" | "sqlite3") => found.get(name)?.path ?? name;
  programs = {
    ...{ initdb: path("initdb"), postgres: path("postgres") },
    ...{ psql: path("psql"), sqlite3: path("sqlite3") },
  };
  server = await startPostgres("postgres");
  await sql(server, "postgres", "CREATE ROLE outline LOGIN; ");
  await sql(server, "postgres", "CREATE DATABASE outline OWNER outline");
  await sql(
    server,
    "outline",
    "CREATE TABLE pages (title text); INSERT INTO pages VALUES ('cake')",
  );
  await sqlite("CREATE TABLE tasks (title); INSERT INTO tasks VALUES ('bake')");
  await backUpAsNixOS();
});

afterAll(async () => {
  expect(await runbooks.end()).toEqual([]);
});

/** A server of its own, with a socket in a folder. Gives what leads programs to it. */
async function startPostgres(name: string): Promise<Record<string, string>> {
  const { world } = runbooks.cluster;
  const folder = world.folder(name);
  chownSync(folder, NOBODY.uid, NOBODY.gid);
  const data = join(folder, "data");
  await execa(programs.initdb, ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync"], {
    ...NOBODY,
    cwd: folder,
    env: { HOME: folder, LC_ALL: "C" },
  });
  const settings = ["-c", "listen_addresses=", "-c", `unix_socket_directories=${folder}`];
  const daemon = world.start(name, programs.postgres, ["-D", data, ...settings], NOBODY);
  const env = {
    PGHOST: folder,
    PGUSER: "postgres",
    PATH: `$PATH:${dirname(programs.psql)}:${dirname(programs.sqlite3)}`,
  };
  const isUp = async () => {
    const { exitCode } = await execa(programs.psql, ["-l"], { env, reject: false });
    return exitCode === 0;
  };
  await waitFor("PostgreSQL's start", isUp, { failed: daemon.failure, timeout: 60_000 });
  return env;
}

async function sql(env: Record<string, string>, database: string, what: string): Promise<string> {
  const { PGHOST = "", PGUSER = "" } = env;
  const args = ["-d", database, "-tA", "-v", "ON_ERROR_STOP=1", "-c", what];
  return (await execa(programs.psql, args, { env: { PGHOST, PGUSER } })).stdout;
}

async function sqlite(what: string): Promise<string> {
  return (await execa(programs.sqlite3, [join(q.data, VIKUNJA), what])).stdout;
}

/** A night's backup with the dumps that the NixOS module makes before it. */
async function backUpAsNixOS(): Promise<void> {
  const dumps = join(q.data, "run", "restic-backups-offsite", "dumps");
  mkdirSync(join(dumps, "sqlite", dirname(VIKUNJA)), { recursive: true });
  const { PGHOST = "", PGUSER = "" } = server;
  const { stdout } = await execa(join(dirname(programs.psql), "pg_dumpall"), [], {
    env: { PGHOST, PGUSER },
  });
  writeFileSync(join(dumps, "postgresql.sql"), `${stdout}\n`);
  await sqlite(`VACUUM INTO '${join(dumps, "sqlite", VIKUNJA)}'`);
  const order = "systemctl start restic-backups-offsite";
  await execa("sh", [runbooks.shells.enter, "q", "-c", order]);
  // The module takes them away.
  rmSync(join(q.data, "run"), { recursive: true });
}

it("brings a service's files, SQLite and PostgreSQL back, and overwrites nothing that lives", async () => {
  const outline = join(q.data, "var", "lib", "outline");
  const vikunja = join(q.data, VIKUNJA);
  chmodSync(join(outline, "notes.txt"), 0o640);
  await backUpAsNixOS();
  const before = fingerprint(outline);
  rmSync(join(outline, "state.db"));
  writeFileSync(join(outline, "new.txt"), "made after the backup");
  writeFileSync(vikunja, "not a database");
  writeFileSync(`${vikunja}-wal`, "of the broken one");
  await sql(server, "outline", "DELETE FROM pages");

  const only = ["Find a snapshot that has it", "Put its files back", "A SQLite database"];
  await runbooks.follow("service-data-lost", {
    only: [...only, "PostgreSQL", "Smoke test"],
    env: server,
  });
  expect(fingerprint(outline)).toEqual(before);
  expect(readFileSync(join(`${outline}.broken`, "new.txt"), "utf8")).toContain("after the backup");
  expect(await sqlite("SELECT title FROM tasks")).toBe("bake");
  expect(readFileSync(`${vikunja}.broken-wal`, "utf8")).toBe("of the broken one");
  expect(await sql(server, "outline", "SELECT title FROM pages")).toBe("cake");
  expect(await sql(server, "outline.broken", "SELECT count(*) FROM pages")).toBe("0");
});

it("fills a new PostgreSQL server from the dump", async () => {
  await backUpAsNixOS();
  const fresh = await startPostgres("postgres-2");
  await runbooks.follow("service-data-lost", { only: ["PostgreSQL, all of it"], env: fresh });
  expect(await sql(fresh, "outline", "SELECT title FROM pages")).toBe("cake");
  expect(runbooks.unfollowed("service-data-lost")).toEqual([]);
  expect(basename(fresh.PGHOST ?? "")).toBe("postgres-2");
});
