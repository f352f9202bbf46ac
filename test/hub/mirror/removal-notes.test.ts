import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  NO_NOTES,
  readNotes,
  ripe,
  takeNotes,
  writeNotes,
  type Notes,
} from "../../../hub/mirror/removal-notes.ts";
import { parsePath, pathOf } from "../../../hub/repository/layout.ts";
import { emptyInventory } from "../../../hub/targets/target.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1);

type Kind = "data" | "index" | "snapshots";

/** The path of a file whose name begins with these digits. */
const path = (kind: Kind, digits: string): string => pathOf(kind, digits.padEnd(64, "0"));

/** A hub that has these files. */
function hub(...paths: string[]): ReturnType<typeof emptyInventory> {
  const listing = emptyInventory();
  for (const each of paths) {
    const file = parsePath(each);
    if (file !== undefined && file.kind !== "config") listing.files[file.kind].set(file.name, 1);
  }
  return listing;
}

const [oldSnapshot, oldIndex, oldPack] = [
  path("snapshots", "aa"),
  path("index", "aa"),
  path("data", "aa"),
] as const;
const [newIndex, newPack] = [path("index", "bb"), path("data", "bb")] as const;

/** Notes of a hub that has had the old files for a while. */
const settled: Notes = takeNotes(NO_NOTES, hub(oldSnapshot, oldIndex, oldPack), new Set(), START);

describe("notes of what the hub no longer has", () => {
  it("make files ripe batch by batch, in the order in which they went", () => {
    const first = takeNotes(settled, hub(oldSnapshot, newIndex), new Set([oldIndex]), START + DAY);
    const both = new Set([oldIndex, oldSnapshot]);
    let notes = takeNotes(first, hub(newIndex), both, START + 2 * DAY);
    expect([...ripe(notes, DAY)]).toEqual([oldIndex]);
    expect([...ripe(notes, 1.1 * DAY)]).toEqual([]);
    notes = takeNotes(notes, hub(newIndex), both, START + 3 * DAY);
    expect(ripe(notes, DAY)).toEqual(both);
    expect([...ripe(notes, 2 * DAY)]).toEqual([oldIndex]);
  });

  it("forget a file that is back at the hub, so that its time begins anew", () => {
    const gone = new Set([oldPack]);
    const once = takeNotes(settled, hub(oldSnapshot, oldIndex), gone, START + DAY);
    const back = takeNotes(once, hub(oldSnapshot, oldIndex, oldPack), new Set(), START + 2 * DAY);
    const again = takeNotes(back, hub(oldSnapshot, oldIndex), gone, START + 3 * DAY);
    expect([...ripe(once, 0)]).toEqual([oldPack]);
    expect([...ripe(again, HOUR)]).toEqual([]);
  });

  it("begin anew when an index file turns up that the last mirror did not see at the hub", () => {
    const gone = new Set([newPack]);
    const once = takeNotes(settled, hub(oldSnapshot, oldIndex, oldPack), gone, START + DAY);
    // Sent by a mirror that was cut off, it may need the pack, which was noted before it.
    const late = new Set([newPack, newIndex]);
    const then = takeNotes(once, hub(oldSnapshot, oldIndex, oldPack), late, START + 3 * DAY);
    expect([...ripe(then, HOUR)]).toEqual([]);
    const after = takeNotes(then, hub(oldSnapshot, oldIndex, oldPack), late, START + 4 * DAY);
    expect(ripe(after, DAY)).toEqual(late);
  });

  it.each([
    ["ahead", 3000 * DAY],
    ["back", -3000 * DAY],
  ])("are not made ripe by a clock that was once %s", (_, error) => {
    const gone = new Set([oldSnapshot]);
    let notes = takeNotes(settled, hub(oldIndex, oldPack), gone, START + DAY);
    notes = takeNotes(notes, hub(oldIndex, oldPack), gone, START + 2 * DAY + error);
    notes = takeNotes(notes, hub(oldIndex, oldPack), gone, START + 3 * DAY);
    expect([...ripe(notes, 7 * DAY)]).toEqual([]);
    for (let day = 4; day < 11; day += 1) {
      notes = takeNotes(notes, hub(oldIndex, oldPack), gone, START + day * DAY);
    }
    expect([...ripe(notes, 7 * DAY)]).toEqual([oldSnapshot]);
  });

  it("are the same when they are read again, and none when they are unreadable", () => {
    const folder = mkdtempSync(join(tmpdir(), "offsite-notes-"));
    const file = join(folder, "cloud", "q.json");
    const notes = takeNotes(settled, hub(oldIndex), new Set([oldSnapshot, oldPack]), START + DAY);
    writeNotes(file, notes);
    expect(readNotes(file)).toEqual(notes);
    writeFileSync(file, '{"version":1,"time":1,"seen":["../../etc/passwd"],"batches":[]}');
    expect(readNotes(file)).toEqual(NO_NOTES);
    writeFileSync(file, "{");
    expect(readNotes(file)).toEqual(NO_NOTES);
    rmSync(folder, { recursive: true });
  });
});
