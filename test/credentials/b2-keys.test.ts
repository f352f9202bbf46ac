/** Which keys a cloud target has, rotation after rotation. */
import { describe, expect, it } from "vitest";
import { b2Keys, type B2Record } from "../../credentials/b2-keys.ts";

const standing = (generation: number, revoked = 0) => ({ generation, revoked });
const names = ({ keys }: ReturnType<typeof b2Keys>) =>
  keys.map(({ resource }) => resource).filter((name) => !name.startsWith("hub-monitor"));

/** A stack through its updates: each has what the one before left. */
class Stack {
  #before: B2Record | undefined;
  #revoked = { target: 0, hosts: { q: 0 } };

  up(target = standing(1), q = standing(1), finishes = true): string[] {
    const options = { target, hosts: { q }, before: this.#before };
    const made = b2Keys({
      ...options,
      ...(this.#before !== undefined && { revokedBefore: this.#revoked }),
    });
    if (finishes) {
      this.#before = made.record;
      this.#revoked = { target: target.revoked, hosts: { q: q.revoked } };
    }
    return names(made);
  }
}

describe("the keys of a cloud target", () => {
  it("are the current ones and the hub's next at first", () => {
    expect(new Stack().up()).toEqual(["sync-g1", "sync-g2", "hub-restore-g1", "restore-q-g1"]);
  });

  it("are the same at the next update", () => {
    const stack = new Stack();
    expect(stack.up()).toEqual(stack.up());
  });

  it("keep what was in force beside what is, and no longer than until the next rotation", () => {
    const stack = new Stack();
    stack.up();
    const second = [
      ...["sync-g1", "sync-g2", "sync-g3"],
      ...["hub-restore-g1", "hub-restore-g2", "restore-q-g1", "restore-q-g2"],
    ];
    expect(stack.up(standing(2))).toEqual(second);
    expect(stack.up(standing(2))).toEqual(second);
    expect(stack.up(standing(3))).toEqual([
      ...["sync-g2", "sync-g3", "sync-g4"],
      ...["hub-restore-g2", "hub-restore-g3", "restore-q-g2", "restore-q-g3"],
    ]);
  });

  it("change at a host's rotation where the host reads, and nowhere else", () => {
    const stack = new Stack();
    const before = stack.up();
    const after = stack.up(standing(1), standing(2));
    expect(after.filter((name) => !before.includes(name))).toEqual(["restore-q-g2"]);
    expect(before.filter((name) => !after.includes(name))).toEqual([]);
  });

  it("keep a host's key when the host and the target are rotated at once", () => {
    const stack = new Stack();
    stack.up();
    expect(stack.up(standing(2), standing(2))).toContain("restore-q-g1");
    expect(stack.up(standing(2), standing(2))).toContain("restore-q-g1");
  });

  it("are all new after the target was revoked", () => {
    const stack = new Stack();
    stack.up();
    stack.up(standing(2));
    const revoked = ["sync-g4", "sync-g5", "hub-restore-g4", "restore-q-g4"];
    expect(stack.up(standing(4, 3))).toEqual(revoked);
    expect(stack.up(standing(4, 3))).toEqual(revoked);
    expect(stack.up(standing(5, 3))).toContain("sync-g4");
  });

  it("are a host's alone that are new after the host was revoked", () => {
    const stack = new Stack();
    stack.up(standing(1), standing(2));
    expect(stack.up(standing(1), standing(4, 3))).toEqual([
      ...["sync-g1", "sync-g2", "hub-restore-g1", "restore-q-g4"],
    ]);
  });

  it("are the same when an update that failed is done again, or taken back", () => {
    const stack = new Stack();
    const first = stack.up();
    const second = stack.up(standing(2), standing(1), false);
    expect(stack.up(standing(2), standing(1), false)).toEqual(second);
    expect(stack.up()).toEqual(first);
  });

  it("take over what a stack of before had, under its new name", () => {
    const { keys } = b2Keys({ target: standing(1), hosts: { q: standing(1) } });
    expect(keys.map(({ formerly }) => formerly).filter(Boolean)).toEqual([
      "restore",
      "monitor",
      "restore-q",
    ]);
  });
});
