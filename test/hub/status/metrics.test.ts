import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FAMILIES } from "../../../hub/metrics/families.ts";
import { metricsOf } from "../../../hub/metrics/metrics.ts";
import { recall, remember } from "../../../hub/mirror/shrinkage.ts";
import { replaceFile } from "../../../hub/replace-file.ts";
import { AT_HUB } from "../../../hub/results.ts";
import { World } from "../world.ts";
import { addTargets, goodNight, HOUR, look, passwordFile, record } from "./cluster.ts";

/** Series by name and labels. */
function series(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

describe("metrics", () => {
  let world: World;

  beforeAll(async () => {
    world = new World(["q", "minos", "lost"]);
    addTargets(world);
    await world.seed("q");
    await world.backup("q");
    symlinkSync(world.at("lost"), world.at("lost"));
    await goodNight(world, ["q"]);
    record(world, "control", "peer", "q");
    record(world, "verify", AT_HUB, "q", { errors: ["rotten"], facts: { damaged: 5 } });
    record(world, "thief", "cloud", "*");
    world.settings = { passwordFiles: { q: passwordFile(world) } };
  });

  afterAll(async () => {
    await world.close();
  });

  it("are what promtool accepts without a word, with HELP and TYPE for each", async () => {
    const text = await (await metricsOf(await look(world))).metrics();
    const { stdout, stderr } = await execa("promtool", ["check", "metrics"], { input: text });
    expect(stdout + stderr).toBe("");
    const names = new Set([...series(text).keys()].map((key) => key.replace(/\{.*/, "")));
    expect(names.size).toBeGreaterThan(45);
    for (const name of names) {
      expect(name).toMatch(/^offsite_/);
      expect(text).toContain(`# HELP ${name} `);
      expect(text).toContain(`# TYPE ${name} gauge\n`);
    }
  });

  it("cover each host and target, also a host that was never seen or cannot be read", async () => {
    const at = Date.now() - HOUR;
    record(world, "mirror", "peer", "q", { at, facts: { waitingFiles: 4, credential: "next" } });
    const report = await look(world);
    const found = series(await (await metricsOf(report)).metrics());
    const peer = '{target="peer",host="q"}';
    expect(found.get('offsite_host_seen{host="q"}')).toBe(1);
    expect(found.get('offsite_host_seen{host="minos"}')).toBe(0);
    expect(found.get('offsite_repository_readable{host="lost"}')).toBe(0);
    expect(found.get('offsite_backup_outcome{host="minos",outcome="never"}')).toBe(1);
    expect(found.get('offsite_backup_outcome{host="lost",outcome="unknown"}')).toBe(1);
    expect(found.has('offsite_backup_last_timestamp_seconds{host="minos"}')).toBe(false);
    const { lastBackup, bytes } = report.hosts.q ?? {};
    expect(found.get('offsite_backup_last_timestamp_seconds{host="q"}')).toBe(
      Date.parse(lastBackup?.arrived ?? "") / 1000,
    );
    expect(found.get('offsite_backup_last_size_bytes{host="q"}')).toBeGreaterThan(300_000 - 1);
    expect(found.get('offsite_backup_last_duration_seconds{host="q"}')).toBe(lastBackup?.seconds);
    expect(found.get('offsite_repository_size_bytes{host="q"}')).toBe(bytes);
    expect(found.get('offsite_repository_snapshots{host="q"}')).toBe(3);
    expect(found.get(`offsite_mirror_last_success_timestamp_seconds${peer}`)).toBe(at / 1000);
    expect(found.get(`offsite_target_fresh_timestamp_seconds${peer}`)).toBe(at / 1000);
    expect(found.get(`offsite_waiting_files${peer}`)).toBeGreaterThan(4);
    expect(found.get(`offsite_credential_generation${peer}`)).toBe(3);
    expect(found.get(`offsite_credential_offset${peer}`)).toBe(1);
    for (const kind of ["verify", "drill", "control"]) {
      expect(found.get(`offsite_${kind}_last_run_success${peer}`)).toBe(1);
    }
    expect(found.get('offsite_hub_verify_damaged_files{host="q"}')).toBe(5);
    expect(found.get('offsite_prune_last_run_success{host="q"}')).toBe(1);
    expect(found.get('offsite_thief_last_run_success{target="cloud"}')).toBe(1);
    expect(found.get('offsite_threshold_seconds{kind="backup"}')).toBe(48 * 3600);
    expect(found.get("offsite_metrics_timestamp_seconds")).toBe(Date.parse(report.time) / 1000);
    expect(found.get("offsite_problems")).toBe(report.problems.length);
    expect(report.problems.length).toBeGreaterThan(0);
  });

  it("tell of disks, limits, what a target holds and how long its certificate is good for", async () => {
    const at = Date.now() - HOUR;
    const certificate = { start: "2026-01-01T00:00:00.000Z", end: "2026-04-01T00:00:00.000Z" };
    record(world, "mirror", "peer", "q", { at, facts: { heldBytes: 7e9 } });
    record(world, "verify", "peer", "*", { at, facts: { certificate } });
    // A later one that came nowhere saw no certificate, and does not forget it.
    record(world, "verify", "peer", "*", { at: at + 1000, errors: ["it gave no answer"] });
    const report = await look(world);
    const found = series(await (await metricsOf(report)).metrics());
    const size = found.get('offsite_hub_disk_size_bytes{folder="repositories"}') ?? 0;
    const available = found.get('offsite_hub_disk_available_bytes{folder="repositories"}') ?? 0;
    expect(size).toBeGreaterThan(available);
    expect(available).toBeGreaterThan(0);
    // On the same disk, so told once.
    expect(report.disks.map(({ folder }) => folder)).toEqual(["repositories"]);
    expect(found.get('offsite_target_limit_bytes{target="peer"}')).toBe(100 * 2 ** 30);
    expect(found.has('offsite_target_limit_bytes{target="cloud"}')).toBe(false);
    expect(found.get('offsite_target_held_bytes{target="peer",host="q"}')).toBe(7e9);
    const peer = '{target="peer"}';
    expect(found.get(`offsite_certificate_start_timestamp_seconds${peer}`)).toBe(1767225600);
    expect(found.get(`offsite_certificate_expiry_timestamp_seconds${peer}`)).toBe(1775001600);
    expect(found.get(`offsite_certificate_seen_timestamp_seconds${peer}`)).toBe(at / 1000);
    expect(found.get(`offsite_target_verify_last_run_success${peer}`)).toBe(0);
  });

  it("tell snapshots that the hub lost from those that a prune takes", async () => {
    const path = join(world.state, "snapshots", "peer", "q.json");
    const before = recall(path);
    const lost = async (seen: ReadonlyMap<string, number>) => {
      remember(path, seen);
      const report = await look(world);
      const found = series(await (await metricsOf(report)).metrics());
      return [
        found.get('offsite_lost_snapshots{target="peer",host="q"}'),
        report.problems.some((line) => line.includes("snapshots that the retention keeps")),
      ];
    };
    const days = (count: number, each: number) =>
      Array.from({ length: count }, (_, index): [string, number] => [
        `${index}`.padStart(64, "0"),
        Date.now() - HOUR - index * each,
      ]);
    // Of one day the retention keeps one; a prune takes the others.
    expect(await lost(new Map([...before, ...days(20, 60_000)]))).toEqual([0, false]);
    expect(await lost(new Map([...before, ...days(6, 24 * HOUR)]))).toEqual([5, true]);
    remember(path, before);
  });

  it("are all in the documentation, with the words that Prometheus shows", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../docs/agent.md"), "utf8");
    const rows = page
      .split("\n")
      .filter((line) => line.startsWith("| `offsite_"))
      .map((line) => line.split("|").map((cell) => cell.trim()));
    expect(rows.map(([, name, labels, help]) => [name, labels, help])).toEqual(
      FAMILIES.map(({ name, labelNames, help }) => [
        `\`${name}\``,
        labelNames.map((label) => `\`${label}\``).join(", "),
        help,
      ]),
    );
  });

  it("tell a run that failed from when it last succeeded", async () => {
    const at = Date.now() - 5 * HOUR;
    record(world, "prune", AT_HUB, "q", { at });
    record(world, "prune", AT_HUB, "q", { at: at + HOUR, errors: ["no"] });
    const found = series(await (await metricsOf(await look(world))).metrics());
    const prune = (name: string) => found.get(`offsite_prune_${name}{host="q"}`);
    expect(prune("last_run_success")).toBe(0);
    expect(prune("last_run_timestamp_seconds")).toBe((at + HOUR) / 1000);
    expect(prune("last_success_timestamp_seconds")).toBe(at / 1000);
  });

  it("go to a file for all to read, or to standard output, with exit code 0 whatever they say", async () => {
    const path = join(world.root, "offsite.prom");
    const written = await world.run("metrics", "--output", path);
    expect(written).toMatchObject({ exitCode: 0, stdout: "" });
    expect(statSync(path).mode & 0o777).toBe(0o644);
    const shown = await world.run("metrics");
    expect(shown.exitCode).toBe(0);
    expect([...series(shown.stdout).keys()]).toEqual([
      ...series(readFileSync(path, "utf8")).keys(),
    ]);
    const nowhere = await world.run("metrics", "--output", join(world.root, "none", "x.prom"));
    expect(nowhere.exitCode).toBe(1);
    expect(nowhere.stderr).toMatch(/^error: cannot write the metrics to ".*none\/x\.prom"/m);
  });
});

describe("a file that is replaced", () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "offsite-metrics-"));
    path = join(folder, "offsite.prom");
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it("is never seen in part by a reader", async () => {
    const content = (letter: string) => `${letter.repeat(300_000)}\n`;
    replaceFile(path, content("a"));
    const reader = `
      const { readFileSync, existsSync, readdirSync } = require("node:fs");
      let reads = 0;
      process.stdout.write("reading\\n");
      while (!existsSync(process.argv[1] + ".stop")) {
        const text = readFileSync(process.argv[1], "utf8");
        if (text.length !== 300001 || !/^(a+|b+)\\n$/.test(text)) process.exit(1);
        reads += 1;
      }
      process.exit(reads > 20 ? 0 : 2);`;
    const child = spawn(process.execPath, ["-e", reader, path], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    for (let round = 0; round < 300; round += 1) replaceFile(path, content("ab"[round % 2] ?? ""));
    writeFileSync(`${path}.stop`, "");
    if (child.exitCode === null) await once(child, "exit");
    expect(child.exitCode).toBe(0);
  });

  it("does not mind what a killed run left, which no collector reads, and clears it in time", () => {
    const young = join(folder, ".offsite.prom.1.tmp");
    const old = join(folder, ".offsite.prom.2.tmp");
    for (const left of [young, old, join(folder, `.offsite.prom.${process.pid}.tmp`)]) {
      writeFileSync(left, "offsite_hal");
    }
    const time = Date.now() / 1000 - 7200;
    utimesSync(old, time, time);
    replaceFile(path, "offsite_healthy 1\n");
    expect(readFileSync(path, "utf8")).toBe("offsite_healthy 1\n");
    expect(readdirSync(folder).sort()).toEqual([".offsite.prom.1.tmp", "offsite.prom"]);
  });

  it("keeps its content when it cannot be replaced, and leaves nothing behind", () => {
    mkdirSync(path);
    writeFileSync(join(path, "kept"), "");
    expect(() => replaceFile(path, "x")).toThrow();
    expect(existsSync(join(path, "kept"))).toBe(true);
    expect(readdirSync(folder)).toEqual(["offsite.prom"]);
  });
});
