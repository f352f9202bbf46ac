import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Checks, type CheckOptions } from "../../../hub/drill/checks/all.ts";
import type { CheckReport } from "../../../hub/drill/report.ts";
import { Scratch } from "../../../hub/drill/scratch.ts";
import { DUMP } from "./world.ts";

const OPTIONS: CheckOptions = {
  ...{ host: "q", target: "peer", own: [], ignore: [] },
  ...{ sqlite3: "sqlite3", zstd: "zstd", postgresql: undefined },
};

let base: string;
let scratch: Scratch;
/** With one server for all dumps. */
let checks: Checks;
let restored: string;

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), "offsite-checks-"));
  chmodSync(base, 0o711);
  scratch = new Scratch(base);
  checks = new Checks(OPTIONS, scratch);
});

beforeEach(() => {
  restored = scratch.fresh("restored");
});

afterAll(async () => {
  await checks.close();
  scratch.remove();
  rmSync(base, { recursive: true });
});

/** Checks one file of this name and content. */
async function judge(name: string, content: string | Buffer): Promise<CheckReport | undefined> {
  writeFileSync(join(restored, name), content);
  const reports = await checks.run(restored);
  expect(reports.length).toBeLessThanOrEqual(1);
  return reports[0];
}

describe("the check of PostgreSQL dumps", () => {
  it("loads what pg_dump and pg_dumpall wrote, also compressed", async () => {
    const all = readFileSync(join(import.meta.dirname, "all.sql"), "utf8");
    writeFileSync(join(restored, "a.sql"), all);
    writeFileSync(join(restored, "b.sql.gz"), gzipSync(DUMP));
    const reports = await checks.run(restored);
    expect(reports.map(({ outcome, detail }) => [outcome, detail.replace(/.*; /, "")])).toEqual([
      ["passed", "loaded 4 databases"],
      ["passed", "loaded 1 database"],
    ]);
  });

  it("fails for one that is cut off, empty, unreadable, or does not load", async () => {
    const half = DUMP.slice(0, DUMP.length / 2);
    expect(await judge("dump.sql", half)).toMatchObject({ outcome: "failed" });
    expect((await judge("dump.sql", ""))?.detail).toContain("it is empty");
    const wrong = DUMP.replace("CREATE TABLE public.documents", "CREATE TABLE public.others");
    const report = await judge("dump.sql", wrong);
    expect(report?.outcome).toBe("failed");
    expect(report?.detail).toContain('relation "public.documents" does not exist');
    rmSync(join(restored, "dump.sql"));
    const squeezed = gzipSync(DUMP);
    const cut = await judge("dump.sql.gz", squeezed.subarray(0, squeezed.length / 2));
    expect(cut?.detail).toContain("cannot be read to its end");
  });

  it("notices rows that do not fit, and does not show them", async () => {
    const report = await judge("dump.sql", DUMP.replace("\n2\tPage 2", "\nsecret\tPage 2"));
    expect(report?.outcome).toBe("failed");
    expect(report?.detail).toContain("invalid input syntax for type integer");
    expect(report?.detail).not.toContain("secret");
  });

  it("runs nothing that a dump brings along", async () => {
    const mark = join(base, "mark");
    const commands = [
      `\\! touch ${mark}`,
      `SELECT 1 \\! touch ${mark}`,
      `SELECT 1 \\g | touch ${mark}`,
      `\\o | touch ${mark}`,
      `\\connect - offsite_drill`,
    ];
    const statements = [
      `COPY (SELECT 1) TO PROGRAM 'touch ${mark}';`,
      `COPY (SELECT 1) TO '${mark}';`,
      `SELECT lo_export(lo_from_bytea(0, 'x'), '${mark}');`,
      `ALTER SYSTEM SET archive_command = 'touch ${mark}';`,
      `SET ROLE offsite_drill;`,
    ];
    // Whoever the server runs as could.
    chmodSync(base, 0o777);
    for (const attacks of [commands, statements]) {
      const script = DUMP.replace("SET row_security = off;", () => attacks.join("\n"));
      const report = await judge("dump.sql", script);
      expect(report?.outcome).toBe("failed");
      expect(report?.detail).toMatch(/restricted|permission denied|must be superuser/);
      expect(existsSync(mark)).toBe(false);
    }
    chmodSync(base, 0o711);
  });

  it("says that it looked at the end alone where there is no server to load it", async () => {
    const bare = new Checks({ ...OPTIONS, postgresql: base }, scratch);
    writeFileSync(join(restored, "dump.sql"), DUMP);
    const [report] = await bare.run(restored);
    expect(report?.outcome).toBe("passed");
    expect(report?.detail).toContain("not loaded: PostgreSQL's programs are not here");
  });
});

describe("the server for dumps", () => {
  it("ends with the agent, also when that is killed", async () => {
    const program = `
      import { Checks } from ${JSON.stringify(join(process.cwd(), "hub/drill/checks/all.ts"))};
      import { Scratch } from ${JSON.stringify(join(process.cwd(), "hub/drill/scratch.ts"))};
      const scratch = new Scratch(${JSON.stringify(base)});
      const checks = new Checks(${JSON.stringify(OPTIONS)}, scratch);
      await checks.run(${JSON.stringify(restored)});
      console.log(scratch.path);
      setInterval(() => undefined, 1000);`;
    writeFileSync(join(restored, "dump.sql"), DUMP);
    const child = spawn(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "--eval", program],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const [path] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
    const [line = ""] = readFileSync(join(path.trim(), "pg/data/postmaster.pid"), "utf8").split(
      "\n",
    );
    expect(existsSync(`/proc/${line}`)).toBe(true);
    child.kill("SIGKILL");
    while (existsSync(`/proc/${line}`)) await setTimeout(20);
    rmSync(path.trim(), { recursive: true });
  });
});

describe("the check of SQLite files", () => {
  let good: string;

  beforeAll(async () => {
    good = join(base, "good.db");
    const rows = "INSERT INTO t SELECT hex(randomblob(300)) FROM generate_series(1, 100);";
    await execa("sqlite3", [good, `CREATE TABLE t (x); CREATE INDEX i ON t (x); ${rows}`]);
  });

  it("passes a sound one, finds it whatever its name, and leaves its bytes and folder alone", async () => {
    const folder = join(restored, "a folder ?#%");
    mkdirSync(folder);
    copyFileSync(good, join(folder, "no-ending"));
    symlinkSync("/etc/passwd", join(folder, "link.db"));
    const [report, ...others] = await checks.run(restored);
    expect(others).toEqual([]);
    expect(report).toMatchObject({ name: "sqlite", outcome: "passed" });
    expect(report?.file).toBe("/a folder ?#%/no-ending");
    expect(readFileSync(join(folder, "no-ending")).equals(readFileSync(good))).toBe(true);
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it("fails for a page that is overwritten and for a file that is cut", async () => {
    const content = readFileSync(good);
    content.fill(0xff, 4096 * 3, 4096 * 3 + 50);
    expect(await judge("a.db", content)).toMatchObject({ outcome: "failed" });
    copyFileSync(good, join(restored, "a.db"));
    truncateSync(join(restored, "a.db"), 4096 * 5);
    const [cut] = await checks.run(restored);
    expect(cut?.outcome).toBe("failed");
    expect(cut?.detail).toContain("malformed");
  });

  it("plays back the log that was saved beside it, on a copy", async () => {
    const path = join(restored, "wal.db");
    // Killed before it could put the log into the database.
    const script = `PRAGMA journal_mode=WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1);
.shell kill -9 $PPID
`;
    await execa("sqlite3", [path], { input: script, reject: false });
    rmSync(`${path}-shm`, { force: true });
    const before = readFileSync(`${path}-wal`);
    expect(before.length).toBeGreaterThan(0);
    const [report] = await checks.run(restored);
    expect(report?.outcome).toBe("passed");
    expect(readdirSync(restored).sort()).toEqual(["wal.db", "wal.db-wal"]);
    expect(readFileSync(`${path}-wal`).equals(before)).toBe(true);
  });

  it("leaves alone what the settings say", async () => {
    writeFileSync(join(restored, "broken.db"), readFileSync(good).subarray(0, 5000));
    const lenient = new Checks({ ...OPTIONS, ignore: ["/broken.db"] }, scratch);
    expect(await lenient.run(restored)).toEqual([]);
    expect((await checks.run(restored))[0]?.outcome).toBe("failed");
  });
});
