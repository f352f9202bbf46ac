/** Who is no longer backed up, and where machines send passwords and backups to from then on. */
import type { Change } from "./changes.ts";
import type { Danger } from "./data.ts";
import { names, say } from "./phrase.ts";
import type { Difference } from "./values.ts";
import { hostOfFile } from "./words.ts";

/** Hosts that the change takes out of the stack. */
export function leavingHosts(changes: readonly Change[]): Danger[] {
  // Where all of the bundle goes, the targets are told.
  const all = changes.some(
    ({ type, operation }) => type === "fort-offsite:index:Bundle" && operation === "delete",
  );
  const hosts = changes
    .filter(({ operation }) => operation === "delete")
    .flatMap((each) => hostOfFile(each) ?? [])
    .sort();
  if (all || hosts.length === 0) return [];
  return [
    {
      fate: "left",
      what: say`${names(hosts)} ${[hosts.length === 1 ? "is" : "are"]} no longer backed up`,
      data: say`What is at the targets stays there; nobody verifies it any more, and the bundle has no credential that restores it. A host under another name is another host: its backups begin anew.`,
    },
  ];
}

/** Settings that say where machines connect to. */
const ADDRESS =
  /^(?:hub\.(?:host|url)|guests\.[^.]+\.url|targets\.(?<target>[^.]+)\.(?:url|endpoint|listen|domain|address|bucket|accountId|ssh\.(?:host|port|hostKey)))$/;

/** Addresses that are others than before, of what was there before. */
export function movedAddresses(settings: readonly Difference[]): Danger[] {
  const of = (side: "before" | "after") =>
    new Set(settings.filter((each) => each[side] === undefined).map(({ path }) => path));
  const [made, gone] = [of("before"), of("after")];
  return settings.flatMap(({ path, before, after }): Danger[] => {
    const match = ADDRESS.exec(path);
    if (match === null) return [];
    const type = `targets.${match.groups?.target ?? ""}.type`;
    // A target or a guest that comes or goes is told as such.
    if (made.has(type) || gone.has(type)) return [];
    const guest = /^guests\.[^.]+/.exec(path)?.[0];
    if (guest !== undefined && (made.has(`${guest}.key`) || gone.has(`${guest}.key`))) return [];
    const side = (value: string | undefined) =>
      value === undefined ? ["the default"] : say`${value}`;
    return [
      {
        fate: "exposed",
        what: say`${path} changes from ${side(before)} to ${side(after)}`,
        data: say`Machines connect there from their next deployment on, with their passwords, and send their backups. Be sure whose it is: whoever answers there is given them.`,
      },
    ];
  });
}
