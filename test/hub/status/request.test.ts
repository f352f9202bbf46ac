import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ListReport } from "../../../hub/status/list.ts";
import type { StatusReport } from "../../../hub/status/report.ts";
import { parseRequest, requestedHosts, shown } from "../../../hub/status/request.ts";
import { trigger } from "../../../hub/status/trigger.ts";
import { World } from "../world.ts";
import { addTargets, goodNight, passwordFile } from "./cluster.ts";

let world: World;

/** A command that notes that it ran, and with what. */
function noting(...args: string[]): [string, ...string[]] {
  const script = `require("fs").writeFileSync(${JSON.stringify(marker())}, process.argv.slice(1).join("|"))`;
  return [process.execPath, "-e", script, ...args];
}

function marker(): string {
  return join(world.root, "triggered");
}

beforeAll(async () => {
  world = new World(["q", "joker", "minos"]);
  addTargets(world);
  for (const host of ["q", "joker"]) await world.seed(host);
  await goodNight(world, ["q", "joker"]);
  world.settings = {
    passwordFiles: { q: passwordFile(world) },
    triggers: { q: noting("now", "$(touch x); q"), joker: ["/nowhere/program"] },
  };
});

afterAll(async () => {
  await world.close();
});

async function ask(command: string, request: string) {
  const child = world.start(command, "--request");
  // The agent need not read all of it.
  child.stdin.on("error", () => undefined).end(request);
  const { exitCode, stdout, stderr } = await child;
  return { exitCode, answer: JSON.parse(stdout) as unknown, stderr };
}

describe("a request", () => {
  it("is an object with a host or without", () => {
    expect(parseRequest("{}")).toEqual({});
    expect(parseRequest("\n")).toEqual({});
    expect(parseRequest('{"host":"q"}')).toEqual({ host: "q" });
  });

  it.each([
    "not JSON",
    "[]",
    "null",
    '"q"',
    "[".repeat(60_000),
    '{"host":1}',
    '{"host":null}',
    '{"host":["q"]}',
    '{"hosts":"q"}',
    '{"host":"q","state":"/etc"}',
    '{"__proto__":{"host":"q"}}',
  ])("is refused with what is allowed: %.40s", (text) => {
    expect(() => parseRequest(text)).toThrow(/a request is \{\} or \{"host": "<name>"\}$/);
  });

  it.each(["../../etc", "q; rm", "q/../joker", "", "Q", "__proto__", "toString", "q\u0000"])(
    "finds no host but the manifest's: %j",
    (host) => {
      expect(() => requestedHosts({ host }, ["q", "joker"])).toThrow(/Allowed: q, joker$/);
    },
  );

  it("is shown on one line, short and printable", () => {
    const text = shown(`\u001b[31m\n${"ä".repeat(100)}`);
    expect(text).toMatch(/^[\x20-\x7e…]{1,100}$/);
  });
});

describe("a capability", () => {
  it("answers the status with exit code 0, also when there are problems", async () => {
    const { exitCode, answer, stderr } = await ask("status", '{"host":"q"}');
    expect(exitCode).toBe(0);
    const report = answer as StatusReport;
    expect(report).toMatchObject({ version: 1, healthy: true });
    expect(Object.keys(report.hosts)).toEqual(["q"]);
    expect(stderr).toContain("status asked for by nobody named");
    const all = await ask("status", "{}");
    expect(all.exitCode).toBe(0);
    expect(all.answer).toMatchObject({ healthy: false });
    expect((all.answer as StatusReport).problems.join()).toContain("minos: never seen");
  });

  it("answers the list of a host", async () => {
    const { exitCode, answer } = await ask("list", '{"host":"q"}');
    expect(exitCode).toBe(0);
    expect((answer as ListReport).hosts.q?.snapshots).toHaveLength(2);
  });

  it("triggers a backup with exactly the arguments of the settings", async () => {
    const { exitCode, answer } = await ask("trigger", '{"host":"q"}');
    expect(exitCode).toBe(0);
    expect(answer).toEqual({ version: 1, host: "q", triggered: true });
    expect(readFileSync(marker(), "utf8")).toBe("now|$(touch x); q");
  });

  it.each([
    ["status", '{"host":"../../etc"}', /no such host: "..\/..\/etc"\. Allowed: q, joker, minos/],
    ["trigger", '{"host":"q; rm"}', /no such host: "q; rm"/],
    ["trigger", "{}", /which host\? Name one of: q, joker, minos/],
    ["trigger", '{"host":"minos"}', /no trigger for "minos" \(they have: q, joker\)/],
    ["trigger", '{"host":"joker"}', /the trigger "\/nowhere\/program" failed: cannot start it/],
    ["list", `{"host":"${"q".repeat(5_000_000)}"}`, /longer than the 65536 bytes/],
  ])("answers an error with exit code 1: %s %.30s", async (command, request, expected) => {
    const { exitCode, answer, stderr } = await ask(command, request);
    expect(exitCode).toBe(1);
    expect(Object.keys(answer as object)).toEqual(["error"]);
    expect((answer as { error: string }).error).toMatch(expected);
    expect(stderr).toContain("error: ");
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  it("answers an error when the hub's own files are wrong", async () => {
    const before = world.settings;
    world.settings = { overdueHours: -1 };
    const { exitCode, answer } = await ask("status", "{}");
    world.settings = before;
    expect(exitCode).toBe(1);
    expect((answer as { error: string }).error).toMatch(/settings\.json" is not .*overdueHours/);
  });
});

describe("trigger", () => {
  it("waits for the command's own end, not for what it started", async () => {
    const script = `require("child_process").spawn(process.execPath, ["-e", "setTimeout(() => {}, 1500)"], { stdio: "inherit", detached: true }).unref()`;
    const report = await trigger("q", { q: [process.execPath, "-e", script] }, 60_000);
    expect(report.triggered).toBe(true);
  });

  it("ends a command that does not return, and says what one must do", async () => {
    const script = `setTimeout(() => require("fs").writeFileSync(${JSON.stringify(join(world.root, "late"))}, ""), 1000)`;
    await expect(trigger("q", { q: [process.execPath, "-e", script] }, 300)).rejects.toThrow(
      /did not return within 0\.3 s and was ended/,
    );
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(existsSync(join(world.root, "late"))).toBe(false);
  });

  it("passes on what a failing command said last", async () => {
    const script = `console.error("first\\nno such unit"); process.exitCode = 5`;
    await expect(trigger("q", { q: [process.execPath, "-e", script] })).rejects.toThrow(
      /it ended with exit code 5: no such unit$/,
    );
  });

  it("is told apart by exit codes on the command line", async () => {
    expect((await world.run("trigger", "q")).exitCode).toBe(0);
    expect((await world.run("trigger", "joker")).exitCode).toBe(1);
    const unknown = await world.run("trigger", "nobody");
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toBe('error: no such host: "nobody". The manifest has: q, joker, minos');
  });
});

describe("on the command line", () => {
  it("status ends with 1 when there are problems, unless told otherwise", async () => {
    const all = await world.run("status");
    expect(all.exitCode).toBe(1);
    expect(all.stdout).toMatch(/│ q +│ ok +│/);
    expect(all.stdout).toMatch(/│ minos +│ never +│/);
    expect(all.stderr).toMatch(/^error: minos: never seen/m);
    expect((await world.run("status", "--no-fail")).exitCode).toBe(0);
    const one = await world.run<StatusReport>("status", "q", "--json");
    expect(one.exitCode).toBe(0);
    expect(one.report).toMatchObject({ version: 1, healthy: true, problems: [] });
  });

  it("list shows times with the password, arrivals without, and the targets", async () => {
    const { exitCode, report } = await world.run<ListReport>("list", "--json");
    expect(exitCode).toBe(0);
    const { q, joker, minos } = report.hosts;
    expect(minos?.snapshots).toEqual([]);
    expect(q?.snapshots.map(({ id }) => id).sort()).toEqual(
      world.filesAt(world.repositories, "q", "snapshots"),
    );
    for (const snapshot of q?.snapshots ?? []) {
      expect(snapshot.targets).toEqual(["cloud", "peer"]);
      expect(snapshot.details?.paths[0]).toMatch(/seed\.bin$/);
      expect(snapshot.details?.summary?.bytes).toBeGreaterThan(900_000);
    }
    expect(joker?.snapshots.map(({ details }) => details)).toEqual([null, null]);
    const arrived = q?.snapshots.map((snapshot) => snapshot.arrived) ?? [];
    expect(arrived).toEqual([...arrived].sort().reverse());
    const people = await world.run("list", "joker");
    expect(people.stdout).toContain("time unknown");
  });

  it("says the same whatever the locale and the time zone are", async () => {
    const here = await world.run("list");
    const { TZ, LC_ALL } = process.env;
    process.env.TZ = "Pacific/Kiritimati";
    process.env.LC_ALL = "de_DE.UTF-8";
    const there = await world.run("list").finally(() => {
      for (const [name, value] of Object.entries({ TZ, LC_ALL })) {
        if (value === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = value;
      }
    });
    expect(there.stdout).toBe(here.stdout);
    expect(here.stdout).toMatch(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/);
  });
});
