import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:tls";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { judgeCertificate } from "../../../cli/verify/certificate.ts";
import { Checks, Skipped } from "../../../cli/verify/checks.ts";
import { inForce } from "../../../cli/verify/in-force.ts";
import { verifyReportSchema, type VerifyReport } from "../../../cli/verify/report.ts";
import { judgeSnapshots } from "../../../cli/verify/snapshots.ts";
import { judgeSpace } from "../../../cli/verify/space.ts";
import { errorLines, noticeLines, verifyTables } from "../../../cli/verify/table.ts";
import { parseStackConfig } from "../../../config/parse.ts";
import type { StackRecord } from "../../../config/record.ts";
import { raw, validConfig } from "../../config/valid.ts";
import { newCheck } from "./judge.ts";

const DAY = 24 * 3600 * 1000;
const GIB = 1024 ** 3;

describe("the checks of a target", () => {
  test("go on after one that fails, and count as failed only for what was found", async () => {
    const begun: string[] = [];
    const checks = new Checks((name) => begun.push(name));
    await checks.make("first", () => Promise.reject(new Error("broken\nin two lines")));
    await checks.make("second", () => {
      throw new Skipped("not without the first");
    });
    await checks.make("third", (check) => {
      check.notice("worth knowing");
      return "seen";
    });
    const report = checks.report("b2");
    expect(begun).toEqual(["first", "second", "third"]);
    expect(report.checks.map(({ state }) => state)).toEqual(["failed", "skipped", "ok"]);
    expect(report.checks[0]?.errors).toEqual(["broken in two lines"]);
    expect(report.ok).toBe(false);
  });
});

describe("what is in force", () => {
  const config = parseStackConfig(raw(validConfig()), "prod");
  const standing = { generation: 1, revoked: 0 };
  const record: StackRecord = {
    version: 1,
    hosts: { drhorrible: standing, q: { generation: 2, revoked: 0 } },
    targets: { cloud: standing },
    kept: { cloud: { type: "b2", generation: 1, hosts: {} } },
    hashes: {},
    directory: "/bundle",
    files: {},
  };

  test("is what the last update left, whatever the settings say by now", () => {
    const now = inForce(config, record);
    expect(Object.keys(now.hosts)).toEqual(["drhorrible", "q"]);
    expect(now.hosts.q?.generation).toBe(2);
    expect([...now.unmade]).toEqual(["peer"]);
    expect(now.notices).toEqual([
      expect.stringMatching(/^q: the settings say generation 3, and 2 is in force until/),
      expect.stringMatching(/^the host ursula is in the settings, and no update has made it yet/),
      expect.stringMatching(/^the target peer is in the settings/),
    ]);
  });

  test("is what the settings say where no update is remembered", () => {
    expect(inForce(config, undefined).hosts.q?.generation).toBe(3);
  });
});

describe("a host's snapshots", () => {
  const now = Date.UTC(2026, 10, 23);
  const options = { maxAgeHours: 48, now };

  test("are a finding when the newest is too old, and a notice where there is none", () => {
    const check = newCheck();
    const found = new Map([
      ["q", { count: 3, newest: now - 3 * DAY }],
      ["ursula", { count: 1, newest: now - 1 * DAY }],
    ]);
    const { reports } = judgeSnapshots(["q", "ursula", "joker"], found, options, check);
    expect(check.errors).toEqual([
      expect.stringMatching(/^the newest snapshot of q arrived 3 d ago/),
    ]);
    expect(check.notices).toEqual([expect.stringMatching(/joker/)]);
    expect(reports.joker).toEqual({ snapshots: 0, newest: null, ageSeconds: null });
    expect(reports.ursula?.newest).toBe("2026-11-22T00:00:00.000Z");
  });

  test("from the future are a finding: their age would hide that nothing comes any more", () => {
    const check = newCheck();
    judgeSnapshots(["q"], new Map([["q", { count: 1, newest: now + 2 * DAY }]]), options, check);
    expect(check.errors).toEqual([expect.stringMatching(/q .*in the future/)]);
  });
});

describe("the room at a peer", () => {
  const judge = (used: number, max: number, free: number) => {
    const check = newCheck();
    judgeSpace({ used: used * GIB, max: max * GIB, free: free * GIB }, check);
    return check.errors.join("\n");
  };

  test.each([
    ["enough", 50, 100, 60, /^$/],
    ["hardly any below the limit", 95, 100, 60, /95 % full/],
    ["none below the limit", 100, 100, 60, /the server is full/],
    [
      "less on the disk than may still come",
      50,
      100,
      40,
      /disk has 40.0 GiB left, and 50.0 GiB may/,
    ],
  ])("is judged: %s", (_, used, max, free, message) => {
    expect(judge(used, max, free)).toMatch(message);
  });
});

describe("a certificate", () => {
  const folder = mkdtempSync(join(tmpdir(), "verify-certificate-"));
  let server: Server;
  let port: number;

  beforeAll(async () => {
    const files = ["-keyout", join(folder, "key"), "-out", join(folder, "cert")];
    const name = ["-subj", "/CN=peer.example", "-addext", "subjectAltName=DNS:peer.example"];
    const how = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    await execa("openssl", ["req", ...how, ...files, ...name, "-days", "10"]);
    const [key, cert] = ["key", "cert"].map((file) => readFileSync(join(folder, file)));
    server = createServer({ key, cert });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  const look = async (to: number) => {
    const check = newCheck();
    const close = () => Promise.resolve();
    const route = { host: "127.0.0.1", port: to, serverName: "peer.example", close };
    const seen = await judgeCertificate(route, check);
    return { seen, errors: check.errors };
  };

  test("that nobody vouches for, and one that ends soon, are findings", async () => {
    const { seen, errors } = await look(port);
    expect(seen).toMatch(/^valid until \d{4}-\d\d-\d\d \(9 days\)$/);
    expect(errors).toEqual([
      expect.stringMatching(/peer.example is not to be trusted \(.*SELF_SIGNED/i),
      expect.stringMatching(/ends in 9 days, and was not renewed/),
    ]);
  });

  test("that is not shown is said to be missing", async () => {
    server.close();
    await expect(look(1)).rejects.toThrow(/peer.example shows no certificate/);
  });
});

describe("the report", () => {
  const report: VerifyReport = {
    version: 1,
    stack: "prod",
    started: "2026-11-23T02:00:00.000Z",
    seconds: 3,
    ok: false,
    notices: [],
    targets: {
      peer: {
        type: "rest-server",
        ok: false,
        checks: [
          { name: "login", state: "ok", seen: "let in", errors: [], notices: ["worth knowing"] },
          {
            name: "server",
            state: "failed",
            seen: "",
            errors: ["it \u001b[2Jis stopped"],
            notices: [],
          },
        ],
        usedBytes: 1,
        maxBytes: 2,
        freeBytes: null,
        hosts: { q: { snapshots: 1, newest: "2026-11-23T01:00:00.000Z", ageSeconds: 3600 } },
      },
    },
  };

  test("fits its schema, and is told in tables and in a line for each finding", () => {
    expect(verifyReportSchema.parse(report)).toEqual(report);
    expect(verifyTables(report)).toMatch(/peer +│ q +│ 1 +│ 2026-11-23 01:00 UTC \(1 h ago\)/);
    expect(errorLines(report)).toEqual(["peer, server: it ?[2Jis stopped"]);
    expect(noticeLines(report)).toEqual(["peer, login: worth knowing"]);
  });
});
