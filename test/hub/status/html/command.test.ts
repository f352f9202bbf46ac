import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { World } from "../../world.ts";
import { addTargets, goodNight, passwordFile } from "../cluster.ts";

describe("offsite-hub status --html", () => {
  let world: World;
  let file: string;

  beforeAll(async () => {
    world = new World(["q"]);
    addTargets(world);
    await world.seed("q");
    await world.backup("q");
    await goodNight(world, ["q"]);
    world.settings = { passwordFiles: { q: passwordFile(world) }, page: { distrustHours: 26 } };
    mkdirSync(join(world.root, "www"));
    file = join(world.root, "www", "index.html");
  });

  afterAll(async () => world.close());

  it("writes a page that a web server may read, whatever the umask, with no secret in it", async () => {
    const { command, env } = world.command("status", "--html", file);
    const shell = ["-c", 'umask 077; exec "$@"', "sh", ...command];
    const { stdout } = await execa("sh", shell, { env });
    expect(stdout).toContain(`wrote the status page: ${file}`);
    expect(statSync(file).mode & 0o777).toBe(0o644);
    const page = readFileSync(file, "utf8");
    expect(page).toContain("All was well at");
    expect(page).toContain('data-limit="93600"');
    for (const secret of [
      world.trio.current,
      world.trio.next,
      world.trio.previous,
      "only-for-tests",
    ])
      expect(page).not.toContain(secret);
  });

  it("goes to standard output alone where no file is named, and --json beside a file", async () => {
    const page = await world.run("status", "--html");
    expect(page.stdout).toMatch(/^<!doctype html>[\s\S]*<\/html>$/);
    const { report } = await world.run<{ healthy: boolean }>("status", "--json", "--html", file);
    expect(report).toMatchObject({ version: 1, healthy: true });
  });

  it("leaves the old page where it is when it cannot write a new one, and fails", async () => {
    const before = readFileSync(file, "utf8");
    const blocked = join(world.root, "www", "folder");
    mkdirSync(join(blocked, "page.html", "inside"), { recursive: true });
    const path = join(blocked, "page.html");
    const run = await world.run("status", "--no-fail", "--html", path);
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain(`cannot write the status page to "${path}"`);
    const { command, env } = world.command("status", "--html", file);
    // A disk that takes no byte more.
    const limited = ["-c", 'ulimit -f 0; exec "$@"', "sh", ...command];
    const full = await execa("sh", limited, { env, reject: false });
    expect(full.exitCode).not.toBe(0);
    expect(readFileSync(file, "utf8")).toBe(before);
  });

  it("says what is wrong with how it was called, and writes nothing", async () => {
    const other = join(world.root, "www", "other.html");
    const some = await world.run("status", "--html", other, "q");
    expect(some).toMatchObject({ exitCode: 2 });
    expect(some.stderr).toContain('--html is of all hosts: leave out "q"');
    const both = await world.run("status", "--json", "--html");
    expect(both).toMatchObject({ exitCode: 2, stdout: "" });
    expect(() => statSync(other)).toThrow("ENOENT");
  });

  it("shows what is wrong, and ends with 1 as status does", async () => {
    const { q } = world.manifest.hosts;
    if (q !== undefined) world.manifest.hosts = { q, minos: { ...q, user: "minos" } };
    const run = await world.run("status", "--html", file);
    expect(run.exitCode).toBe(1);
    const page = readFileSync(file, "utf8");
    expect(page).toContain("✗ hub: 1 problem");
    expect(page).toContain("minos: never seen");
  });
});
