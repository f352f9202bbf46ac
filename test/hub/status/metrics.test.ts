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
import { metricsOf } from "../../../hub/metrics/metrics.ts";
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
