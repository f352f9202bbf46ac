/** Says what a thinning out at a peer is worth while the hub still works. */
import { counted } from "../../hub/format.ts";
import type { Snapshot } from "../../hub/prune/snapshot.ts";
import { list } from "./places.ts";

/** What the hub still has comes back with the next mirror. */
export async function warnOfMirror(
  plans: readonly { readonly host: string; readonly going: readonly Snapshot[] }[],
  hub: { readonly url: string; readonly passwords: Parameters<typeof list>[1] },
  say: (line: string) => void,
): Promise<void> {
  const names = new Map(
    plans.filter(({ going }) => going.length > 0).map(({ host, going }) => [host, going] as const),
  );
  if (names.size === 0) return;
  const passwords = new Map([...hub.passwords].filter(([host]) => names.has(host)));
  const there = await list(hub.url, passwords);
  for (const [host, going] of names) {
    const inventory = there.get(host);
    if (inventory === undefined || inventory instanceof Error) {
      say(
        `${host}: the hub does not answer. Where it still works, its next mirror brings back what it has.`,
      );
      continue;
    }
    const back = going.filter(({ id }) => inventory.files.snapshots.has(id)).length;
    if (back > 0) {
      say(
        `${host}: the hub still has ${back} of these ${counted(going.length, "snapshot")}, and its next mirror brings them back. Prune the hub first: offsite-hub prune`,
      );
    }
  }
}
