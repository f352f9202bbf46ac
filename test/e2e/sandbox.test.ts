/** `npm start` as a user runs it, and as one who interrupts and kills it. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { beforeAll, describe, expect, it } from "vitest";
import type { SandboxReport } from "../../sandbox/report.ts";
import { PROJECT, SANDBOX, waitFor } from "../../sandbox/world.ts";

const HOSTS = ["drhorrible", "joker", "lordhenry", "minos", "q", "raishan", "ursula"];
const reportFile = join(SANDBOX, "report.json");

function start(...args: string[]) {
  return execa("npm", ["start", "--", ...args], {
    cwd: PROJECT,
    all: true,
    reject: false,
    // A group of its own, as a terminal gives it: Ctrl-C reaches npm and what it started.
    detached: true,
    cleanup: false,
  });
}

/** The processes whose command line or working directory is of a world. */
function processesOf(id: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
        return line.includes(`fort-offsite-${id}`) ? [line] : [];
      } catch {
        return [];
      }
    });
}

interface Registered {
  readonly directory: string;
  readonly owner: { readonly pid: number };
}

/** The worlds of `npm start` that the register knows of, by their ids. Other tests have theirs. */
function worlds(): Map<string, Registered> {
  const register = join(SANDBOX, "worlds");
  if (!existsSync(register)) return new Map();
  return new Map(
    readdirSync(register).flatMap((name) => {
      try {
        const world = JSON.parse(readFileSync(join(register, name), "utf8")) as Registered;
        const owner = readFileSync(`/proc/${world.owner.pid}/cmdline`, "utf8");
        return owner.includes("sandbox/start.ts") ? [[name.replace(/\.json$/, ""), world]] : [];
      } catch {
        // It is just being written, or its run has just ended.
        return [];
      }
    }),
  );
}

async function newWorld(before: ReadonlyMap<string, unknown>): Promise<[string, Registered]> {
  let found: [string, Registered] | undefined;
  await waitFor(
    "The world",
    () => {
      found = [...worlds()].find(([id]) => !before.has(id));
      return found !== undefined;
    },
    { timeout: 120_000 },
  );
  if (found === undefined) throw new Error("There is no new world");
  return found;
}

function expectNothingLeft(id: string, directory: string): void {
  expect(processesOf(id)).toEqual([]);
  expect(existsSync(directory)).toBe(false);
  expect(existsSync(join(SANDBOX, "worlds", `${id}.json`))).toBe(false);
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(id);
}

describe("npm start", () => {
  let output = "";
  let exitCode: number | undefined;
  let report: SandboxReport;
  let id = "";
  let directory = "";

  beforeAll(async () => {
    rmSync(reportFile, { force: true });
    const before = worlds();
    const run = start();
    [id, { directory }] = await newWorld(before);
    const result = await run;
    output = result.all;
    exitCode = result.exitCode;
    expect(exitCode, output).toBe(0);
    report = JSON.parse(readFileSync(reportFile, "utf8")) as SandboxReport;
  });

  it("restores every host from both places byte for byte", () => {
    expect(report.hosts.map(({ host }) => host).sort()).toEqual(HOSTS);
    for (const { host, files, snapshots, restored } of report.hosts) {
      expect(files).toBeGreaterThan(5);
      expect(snapshots).toBe(host === "q" ? 3 : 1);
      expect(restored).toEqual({ cloud: true, peer: true });
    }
  });

  it("shows that what must be refused is refused", () => {
    const attempts = report.refusals.map(({ attempt }) => attempt).join("\n");
    for (const what of [
      /delete a snapshot at peer with the hub's/,
      /overwrite a pack at peer with the hub's/,
      /delete a snapshot's file at cloud with the hub's/,
      /overwrite a snapshot's file at cloud with the hub's/,
      /read q's repository at the hub as drhorrible/,
      /read q's repository at peer as drhorrible/,
      /read q's repository at cloud as drhorrible/,
    ]) {
      expect(attempts).toMatch(what);
    }
    expect(report.refusals.filter(({ refused }) => !refused)).toEqual([]);
  });

  it("goes through every step, with a second preview that changes nothing", () => {
    expect(report.ok).toBe(true);
    const outcome = (step: RegExp) => report.steps.find((each) => step.test(each.step))?.outcome;
    expect(outcome(/preview/)).toBe("no change");
    expect(outcome(/^Mirror/)).toMatch(/^\d+ files sent, then none$/);
    expect(outcome(/secrets/)).toMatch(/^none of \d+ secrets/);
    expect(outcome(/destroy/)).toContain("The backups are untouched in");
    expect(report.leaks).toEqual([]);
  });

  it("says which programs it used and from where", () => {
    for (const name of ["pulumi", "restic", "rest-server", "rclone", "age"]) {
      expect(report.programs[name]).toMatchObject({
        version: expect.stringMatching(/\d/) as string,
        path: expect.stringMatching(/^\//) as string,
      });
    }
  });

  it("prints the same as a table", () => {
    for (const host of HOSTS)
      expect(output).toMatch(new RegExp(`^${host} .*identical +identical`, "m"));
  });

  it("leaves nothing but the report", () => {
    expectNothingLeft(id, directory);
  });
});

describe("npm start that is not let finish", () => {
  it("takes everything down on Ctrl-C", async () => {
    const before = worlds();
    const run = start("--keep");
    const [id, { directory }] = await newWorld(before);
    await waitFor("sshd", () => processesOf(id).some((line) => line.includes("sshd")), {
      timeout: 120_000,
    });
    if (run.pid !== undefined) process.kill(-run.pid, "SIGINT");
    const { exitCode } = await run;
    expect(exitCode).not.toBe(0);
    expectNothingLeft(id, directory);
  });

  it("is cleared by the next one when it was killed", async () => {
    const before = worlds();
    const run = start("--keep");
    const [id, { directory }] = await newWorld(before);
    await waitFor("sshd", () => processesOf(id).some((line) => line.includes("sshd")), {
      timeout: 120_000,
    });
    if (run.pid !== undefined) process.kill(-run.pid, "SIGKILL");
    await run;
    expect(existsSync(directory)).toBe(true);
    const next = start("--keep");
    await waitFor("The clearing", () => !existsSync(directory), { timeout: 120_000 });
    // This one is interrupted in its first step, before anything was started.
    const [nextId, nextWorld] = await newWorld(new Map([...before, [id, undefined]]));
    if (next.pid !== undefined) process.kill(-next.pid, "SIGINT");
    expect((await next).all).toContain("Cleared what 1 killed run left behind.");
    expectNothingLeft(id, directory);
    expectNothingLeft(nextId, nextWorld.directory);
  });
});
