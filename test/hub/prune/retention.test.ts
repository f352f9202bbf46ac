import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keptBy } from "../../../hub/prune/retention.ts";
import { Forge } from "../forge.ts";
import {
  parseSnapshots,
  parseTime,
  type Snapshot,
  type SnapshotTime,
} from "../../../hub/prune/snapshot.ts";

const DAY = 86_400_000;

function snapshot(id: string, time: SnapshotTime | string, more: Partial<Snapshot> = {}): Snapshot {
  return {
    id,
    time: typeof time === "string" ? parseTime(time) : time,
    hostname: "q",
    paths: ["/var/lib"],
    tags: [],
    tree: "",
    original: id,
    bytes: undefined,
    ...more,
  };
}

describe("the retention", () => {
  it("keeps exactly what restic's policy keeps, over random snapshots and policies", async () => {
    const root = mkdtempSync(join(tmpdir(), "offsite-retention-"));
    try {
      const repository = join(root, "repository");
      const env = { RESTIC_PASSWORD: "x", RESTIC_CACHE_DIR: join(root, "cache") };
      const restic = (...args: string[]) => execa("restic", ["-r", repository, ...args], { env });
      await restic("init", "-q");
      const forge = new Forge(repository, "x");
      forge.cheapen("x");
      const zones = { q: ["+01:00", "+02:00"], joker: ["-05:00", "-04:00"] };
      const draws = fc.sample(
        fc.record({
          hours: fc.integer({ min: 1, max: 14_000 }),
          summer: fc.boolean(),
          paths: fc.constantFrom(["/a"], ["/a", "/b"], ["/b", "/a"]),
          hostname: fc.constantFrom("q", "q", "q", "joker"),
        }),
        250,
      );
      const tree = "00".repeat(32);
      draws.forEach(({ hours, summer, paths, hostname }, at) => {
        // No two at the same time: restic has no order for these.
        const moment = new Date(Date.UTC(2024, 10, 20) + hours * 3_600_000 + at * 1000);
        // Away from midnight, where two zones make restic count a day twice.
        if ([22, 23, 0, 3, 4, 5].includes(moment.getUTCHours())) moment.setUTCHours(12);
        const offset = zones[hostname][summer ? 1 : 0] ?? "Z";
        const local = moment.getTime() + Number(offset.slice(0, 3)) * 3_600_000;
        const time = `${new Date(local).toISOString().slice(0, 23)}123456${offset}`;
        forge.snapshot({ tree }, { time, hostname, paths: [...paths] });
      });
      const { stdout } = await restic("snapshots", "--json");
      const snapshots = parseSnapshots(stdout);
      expect(snapshots).toHaveLength(draws.length);
      const policies = [
        { daily: 7, weekly: 4, monthly: 6 },
        ...fc.sample(
          fc
            .record({ daily: fc.nat(20), weekly: fc.nat(12), monthly: fc.nat(24) })
            .filter(({ daily, weekly, monthly }) => daily + weekly + monthly > 0),
          12,
        ),
      ];
      for (const policy of policies) {
        const keep = Object.entries(policy)
          .filter(([, count]) => count > 0)
          .flatMap(([period, count]) => [`--keep-${period}`, String(count)]);
        const told = await restic("forget", "--dry-run", "--no-lock", "--json", ...keep);
        const groups = JSON.parse(told.stdout) as { keep: { id: string }[] }[];
        const theirs = groups.flatMap((group) => group.keep.map(({ id }) => id));
        expect({ policy, kept: [...keptBy(snapshots, policy)].sort() }).toEqual({
          policy,
          kept: theirs.sort(),
        });
      }
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });

  it("keeps a snapshot with the tag keep beside the others", () => {
    const all = [1, 2, 3, 4].map((day) =>
      snapshot(String(day), `2026-01-0${day}T12:00:00Z`, day === 2 ? { tags: ["keep"] } : {}),
    );
    expect([...keptBy(all, { daily: 1, weekly: 0, monthly: 0 })].sort()).toEqual(["2", "4"]);
  });

  it("counts a day once, however time zones alternate around midnight", () => {
    const good = Array.from({ length: 7 }, (_, day) =>
      snapshot(`good${day}`, `2026-03-0${day + 1}T12:00:00+01:00`),
    );
    const flood = Array.from({ length: 40 }, (_, at) =>
      snapshot(
        `flood${at}`,
        at % 2 === 0 ? `2026-03-07T23:${10 + at}:00+01:00` : `2026-03-08T00:${10 + at}:00+02:00`,
      ),
    );
    const kept = keptBy([...good, ...flood], { daily: 7, weekly: 0, monthly: 0 });
    expect([...kept].filter((id) => id.startsWith("good"))).toHaveLength(5);
  });
});

describe("a snapshot's time", () => {
  it("is read with its day on the writer's calendar, in any zone", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -60_000_000_000, max: 250_000_000_000 }),
        fc.integer({ min: -23 * 60, max: 23 * 60 }),
        fc.nat(999_999_999),
        (seconds, offset, fraction) => {
          const local = new Date(seconds * 1000).toISOString();
          fc.pre(/^\d{4}-/.test(local));
          const two = (value: number): string => String(value).padStart(2, "0");
          const of = Math.abs(offset);
          const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(of / 60))}:${two(of % 60)}`;
          const digits = String(fraction).padStart(9, "0");
          const time = parseTime(`${local.slice(0, 19)}.${digits}${zone}`);
          expect(time.day).toBe(Math.floor((seconds * 1000) / DAY));
          const nanoseconds = BigInt(seconds - offset * 60) * 1_000_000_000n + BigInt(fraction);
          expect(time.nanoseconds).toBe(nanoseconds);
          expect(time.offsetMinutes).toBe(offset);
        },
      ),
    );
  });

  it("is refused where it is none", () => {
    for (const text of ["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"]) {
      expect(() => parseTime(text)).toThrow("is no time");
    }
  });
});
