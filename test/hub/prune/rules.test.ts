import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { unusual, type History } from "../../../hub/prune/notes.ts";
import { findStrangers } from "../../../hub/prune/ownership.ts";
import { parseTime, type Snapshot } from "../../../hub/prune/snapshot.ts";
import { crowd, suspicions } from "../../../hub/prune/suspicion.ts";

const DAY = 86_400_000;
const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 5, 15, 12);

const root = mkdtempSync(join(tmpdir(), "offsite-rules-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function history(removed: number[], daysAgo = 1): History {
  const at = new Date(NOW - daysAgo * DAY).toISOString();
  return { unfinished: false, pruned: null, runs: removed.map((each) => ({ at, removed: each })) };
}

function snapshot(id: string, time: string, bytes?: number): Snapshot {
  const none = { hostname: "q", paths: [], tags: [], tree: "", original: id };
  return { ...none, id, time: parseTime(time), bytes };
}

/** Judges snapshots that arrived as they were taken. */
function judged(snapshots: Snapshot[], trusted: string[] = []): string[] {
  const arrivals = new Map(snapshots.map(({ id, time }) => [id, time.milliseconds]));
  const limits = { longestBackup: 26 * HOUR, arrivals, trusted: new Set(trusted) };
  return [...suspicions(snapshots, limits).keys()];
}

describe("more than usual", () => {
  it("is more than three, and more than half or twice the most of a run for each day since", () => {
    expect(unusual(3, 4, history([]), NOW)).toBeUndefined();
    expect(unusual(4, 7, history([]), NOW)).toContain("more than half");
    expect(unusual(40, 100, history([]), NOW)).toBeUndefined();
    expect(unusual(4, 100, history([0, 1, 0]), NOW)).toContain("3 would be usual");
    expect(unusual(10, 100, history([5]), NOW)).toBeUndefined();
    expect(unusual(11, 100, history([5]), NOW)).toContain("10 would be usual");
    expect(unusual(11, 100, history([1], 6), NOW)).toBeUndefined();
  });
});

describe("a snapshot is suspicious", () => {
  it("by its time: after its file arrived, or longer before than a backup takes", () => {
    const all = ["a", "b", "c", "d"].map((id) => snapshot(id, "2026-06-15T12:00:00Z"));
    const arrived = [-11 / 60, -9 / 60, 25, 27];
    const arrivals = new Map(all.map(({ id }, at) => [id, NOW + (arrived[at] ?? 0) * HOUR]));
    const limits = { longestBackup: 26 * HOUR, arrivals, trusted: new Set<string>() };
    expect([...suspicions(all, limits).keys()].sort()).toEqual(["a", "d"]);
  });

  it("by its time zone, where that jumps", () => {
    const winter = snapshot("winter", "2026-03-28T12:00:00+01:00");
    const summer = snapshot("summer", "2026-03-29T12:00:00+02:00");
    const jump = snapshot("jump", "2026-03-30T02:00:00+14:00");
    const back = snapshot("back", "2026-03-30T12:00:00+02:00");
    expect(judged([winter, summer, jump, back])).toEqual(["jump"]);
  });

  it("by its size, however slowly it shrinks", () => {
    const sizes = [100, 80, 60, 51, 49, 30].map((each) => each * 1e6);
    const all = sizes.map((each, at) => snapshot(`s${at}`, `2026-06-0${at + 1}T12:00:00Z`, each));
    expect(judged(all)).toEqual(["s4", "s5"]);
    expect(judged(all, ["s4"])).toEqual([]);
  });

  it("not by its size, where the size is not known or small", () => {
    const known = snapshot("known", "2026-06-01T12:00:00Z", 1e9);
    const unknown = snapshot("unknown", "2026-06-02T12:00:00Z");
    const small = snapshot("small", "2026-06-01T12:00:00Z", 1e6);
    const smaller = snapshot("smaller", "2026-06-02T12:00:00Z", 1e3);
    expect(judged([known, unknown])).toEqual([]);
    expect(judged([small, smaller])).toEqual([]);
  });
});

describe("a crowd of snapshots", () => {
  it("is far more in a day than ever before", () => {
    const before = Array.from({ length: 40 }, (_, at) => NOW - DAY - at * 12 * HOUR);
    const arrivals = (today: number): Map<string, number> =>
      new Map([
        ...before.map((time, at) => [`b${at}`, time] as const),
        ...Array.from({ length: today }, (_, at) => [`t${at}`, NOW - at * 60_000] as const),
      ]);
    expect(crowd(arrivals(6), NOW)).toBeUndefined();
    expect(crowd(arrivals(7), NOW)).toContain("7 snapshots arrived in 24 hours");
  });
});

describe("what belongs to somebody else in a repository", () => {
  it("is found in every folder, and never given away through a link or a second name", () => {
    const uid = process.getuid?.() ?? 0;
    const directory = join(root, "repository");
    mkdirSync(join(directory, "data", "00"), { recursive: true });
    const secret = join(root, "secret");
    writeFileSync(secret, "x");
    chmodSync(secret, 0o600);
    linkSync(secret, join(directory, "data", "00", "hard"));
    symlinkSync(secret, join(directory, "soft"));
    symlinkSync(root, join(directory, "folder"));
    const other = { uid: uid + 1, gid: uid + 1 };
    const found = findStrangers(directory, other, true);
    expect(found.left.map((line) => line.split(" ")[0]).sort()).toEqual(
      uid === 0
        ? ["data/00/hard", "folder", "soft"]
        : ["data", "data/00", "data/00/hard", "folder", "soft"],
    );
    expect(found.repaired.sort()).toEqual(uid === 0 ? ["data", "data/00"] : []);
    expect(findStrangers(root, { uid, gid: uid }, false).left.join()).not.toContain("secret");
  });
});
