import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import type { Manifest } from "../../../config/manifest.ts";
import { settingsSchema } from "../../../hub/settings.ts";
import { Findings } from "../../../hub/status/findings.ts";
import { judgeGuests } from "../../../hub/status/guests.ts";

const root = mkdtempSync(join(tmpdir(), "offsite-guests-"));
const NOW = Date.parse("2026-11-23T12:00:00Z");
const DAY = 86_400_000;

beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A guest's repository with a snapshot of some days ago and data of some bytes. */
function repository(name: string, days: number, bytes: number): void {
  for (const kind of ["snapshots", "data/ab"]) {
    mkdirSync(join(root, name, name, kind), { recursive: true });
  }
  writeFileSync(join(root, name, name, "config"), "");
  const snapshot = join(root, name, name, "snapshots", "a".repeat(64));
  writeFileSync(snapshot, "");
  utimesSync(snapshot, NOW / 1000, (NOW - days * DAY) / 1000);
  writeFileSync(join(root, name, name, "data", "ab", "b".repeat(64)), Buffer.alloc(bytes));
}

function look(limits: Record<string, number>) {
  const guests = Object.fromEntries(
    Object.entries(limits).map(([name, maxSizeGiB]) => [
      name,
      { maxSizeGiB, repository: "", environment: "" },
    ]),
  );
  const manifest = { guests, hub: { guestRepositories: root } } as unknown as Manifest;
  const problems = new Findings();
  const notices = new Findings();
  const settings = settingsSchema.parse({});
  const found = judgeGuests({ manifest, settings, now: NOW }, problems, notices);
  return { found, problems: problems.lines(), notices: notices.lines() };
}

const MIB = 1 / 1024;

describe("a guest's status", () => {
  it("has its last snapshot, its files and its limit, and nothing to say where all is well", () => {
    repository("laptop", 2, 1000);
    const { found, problems, notices } = look({ laptop: 0.001 });
    expect(found.laptop).toMatchObject({
      ...{ seen: true, readable: true, snapshots: 1, files: 3, bytes: 1000, limitBytes: 1_073_741 },
      lastBackup: { arrived: "2026-11-21T12:00:00.000Z", ageSeconds: 172_800 },
    });
    expect([...problems, ...notices]).toEqual([]);
  });

  it("tells of one that is quiet, nearly full or new, and calls none of that a problem", () => {
    repository("quiet", 15, 1000);
    repository("full", 1, 950_000);
    const { problems, notices } = look({ quiet: MIB, full: MIB, new: MIB });
    expect(problems).toEqual([]);
    expect(notices).toEqual([
      expect.stringMatching(/^guest quiet: has not backed up for 15 d \(2026-11-08/),
      expect.stringMatching(/^guest full: holds 90 % of its limit of 1\.0 MiB/),
      "guest new: has no snapshot here yet",
    ]);
  });

  it("calls it a problem when the disk is in danger", () => {
    repository("greedy", 1, 70 * 2 ** 20);
    const { problems } = look({ greedy: MIB });
    expect(problems).toEqual([
      expect.stringMatching(/^guest greedy: takes 7\d\.\d MiB of the disk/),
    ]);
  });

  it("tells of what a guest left behind, and of limits that the disk cannot keep", () => {
    repository("gone", 1, 1000);
    const { found, notices } = look({ giant: 1_000_000 });
    expect(Object.keys(found)).toEqual(["giant"]);
    expect(notices).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/\/gone" .* belongs to no guest any more/),
        expect.stringMatching(/guests may still send 976\.6 TiB/),
      ]),
    );
  });

  it("is empty where the stack has no guests", () => {
    const manifest = { hub: {} } as Manifest;
    const settings = settingsSchema.parse({});
    const nothing = judgeGuests({ manifest, settings, now: NOW }, new Findings(), new Findings());
    expect(nothing).toEqual({});
  });
});
