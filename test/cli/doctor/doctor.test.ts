/** `offsite doctor` on machines where little is set up. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkBundle, checkOperators } from "../../../cli/doctor/bundle.ts";
import { reportOf, reportText, type Check, type DoctorReport } from "../../../cli/doctor/report.ts";

const ROOT = join(import.meta.dirname, "../../..");
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "doctor-"));
  for (const name of ["empty", "bin", "project", "home"]) mkdirSync(join(folder, name));
  symlinkSync(process.execPath, join(folder, "bin", "node"));
  writeFileSync(join(folder, "project", "Pulumi.yaml"), "name: fort-offsite\nruntime: nodejs\n");
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function doctor(args: readonly string[], cwd: string, env: Record<string, string> = {}) {
  const cli = join(ROOT, "cli", "offsite.mjs");
  const { stdout, exitCode } = await execa(process.execPath, [cli, "doctor", ...args], {
    cwd: join(folder, cwd),
    env: { PATH: join(folder, "bin"), HOME: join(folder, "home"), ...env },
    extendEnv: false,
    stdin: "ignore",
    reject: false,
  });
  return { stdout, exitCode };
}

function stateOf({ checks }: DoctorReport, name: string): string | undefined {
  return checks.find((check) => check.name === name)?.state;
}

describe("offsite doctor", () => {
  it("says what to do first on a machine with nothing but Node.js, outside of the project", async () => {
    const { stdout, exitCode } = await doctor([], "empty");
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/pulumi +│ missing/);
    expect(stdout).toMatch(/project +│ missing/);
    expect(stdout).toMatch(/^First: Install Pulumi's CLI/m);
  });

  it("goes on as far as it can where Pulumi is there and nobody is logged in", async () => {
    const path = { PATH: process.env.PATH ?? "" };
    const { stdout, exitCode } = await doctor(["--json"], "project", path);
    expect(exitCode).toBe(1);
    const report = JSON.parse(stdout) as DoctorReport;
    expect(report).toMatchObject({ version: 1, healthy: false });
    expect(stateOf(report, "pulumi")).toBe("ok");
    expect(stateOf(report, "login")).toBe("missing");
    expect(stateOf(report, "stack")).toBe("unknown");
    expect(stateOf(report, "settings")).toBe("missing");
    expect(report.first).toContain("pulumi login file://~/.fort-offsite");
  });

  it("says what is wrong in the settings before there is a stack or a passphrase", async () => {
    const file = join(folder, "broken.yaml");
    const seed = "  fort-offsite:credentialSeed:\n    secure: v1:x\n";
    writeFileSync(file, `config:\n${seed}  fort-offsite:hub: {host: Ursula}\n`);
    const { stdout, exitCode } = await doctor(["--json", "--config-file", file], "project");
    expect(exitCode).toBe(1);
    const found = (JSON.parse(stdout) as DoctorReport).checks
      .map((check) => check.found)
      .join("\n");
    expect(found).toContain('hub.host: got "Ursula", must be a host name');
    expect(found).toContain("hub.url: got nothing");
    const old = join(dirname(file), "tabs.yaml");
    writeFileSync(old, "config:\n\t- [");
    const unreadable = await doctor(["--config-file", old], "project");
    expect(unreadable.exitCode).toBe(1);
    expect(unreadable.stdout).toContain("is no YAML");
  });
});

describe("a report", () => {
  const check = (state: Check["state"], todo?: string): Check => ({
    ...{ area: "a", name: "n", state, found: "f\u001b[31m" },
    ...(todo !== undefined && { todo }),
  });

  it("is healthy with what is optional, and not with what could not be looked at", () => {
    expect(reportOf([check("ok"), check("optional", "x")])).toMatchObject({
      healthy: true,
      first: null,
    });
    expect(reportOf([check("unknown")])).toMatchObject({ healthy: false, first: null });
    const report = reportOf([check("unknown", "later"), check("wrong", "now")]);
    expect(report.first).toBe("now");
    expect(reportText(report)).not.toContain("\u001b");
  });
});

describe("the bundle's directory", () => {
  it("is right when it is ours, empty or to be made, and wrong with somebody else's files", () => {
    const project = join(folder, "project");
    const state = (directory: string) => checkBundle(project, directory).state;
    expect(state("../new/bundle")).toBe("ok");
    expect(state("../empty")).toBe("ok");
    expect(state("Pulumi.yaml")).toBe("wrong");
    expect(state(".")).toBe("wrong");
    writeFileSync(join(project, ".fort-offsite"), "");
    expect(state(".")).toBe("ok");
  });
});

describe("the operators' keys", () => {
  it("are wanted, for a lost state, where files are sealed and none is given", () => {
    const seal = { format: "age", directory: "bundle", manifest: false, operators: [] } as const;
    const [none] = checkOperators({ ...seal, operators: [] });
    expect(none).toMatchObject({ state: "optional" });
    expect(none?.found).toContain("offsite recover");
    expect(none?.todo).toContain("seal.operators");
    expect(checkOperators({ ...seal, operators: ["age1…"] })).toMatchObject([{ state: "ok" }]);
    expect(checkOperators({ ...seal, format: "plain", operators: [] })).toEqual([]);
  });
});
