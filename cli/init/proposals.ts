/** What is proposed where the operator has no answer of his own. */
import { randomBytes } from "node:crypto";
import ipaddr from "ipaddr.js";
import { at, isRecord, withValue, type Draft, type Path } from "./draft.ts";

/** The names of a section's members. */
export function namesIn(draft: Draft, section: "hosts" | "targets"): string[] {
  const value = draft[section];
  return isRecord(value) ? Object.keys(value) : [];
}

/** A bucket name that nobody else has: those of the whole of B2 share one name space. */
export function proposeBucket(): string {
  return `fort-backups-${randomBytes(4).toString("hex")}`;
}

/** Three times what the hosts hold, for their history; in whole tens where it is more than ten. */
export function proposeMaxSizeGiB(draft: Draft): number {
  const sizes = namesIn(draft, "hosts").map((name) =>
    Number(at(draft, ["hosts", name, "sizeGiB"])),
  );
  const wanted =
    sizes.filter((size) => Number.isFinite(size)).reduce((sum, size) => sum + size, 0) * 3;
  return wanted > 10 ? Math.ceil(wanted / 10) * 10 : Math.max(1, Math.ceil(wanted));
}

/** The address at which the peer is reached, where that is one to listen on. */
export function proposeListen(host: unknown): string | undefined {
  if (typeof host !== "string" || !ipaddr.isValid(host)) return undefined;
  return ipaddr.IPv6.isValid(host) ? `[${host}]:8000` : `${host}:8000`;
}

const PROPOSALS: readonly { of: Path; propose: (draft: Draft) => unknown }[] = [
  { of: ["hub", "repositories"], propose: () => "/var/lib/restic-repos" },
  { of: ["seal", "format"], propose: () => "age" },
];

const OF_TARGET: Readonly<
  Record<string, Readonly<Record<string, (draft: Draft, name: string) => unknown>>>
> = {
  b2: { bucket: proposeBucket, keepHiddenDays: () => 30 },
  "rest-server": {
    listen: (draft, name) => proposeListen(at(draft, ["targets", name, "ssh", "host"])),
    dataDir: () => "/srv/fort-offsite",
    maxSizeGiB: proposeMaxSizeGiB,
  },
  sftp: { dataDir: () => "/srv/fort-offsite", maxSizeGiB: proposeMaxSizeGiB },
};

/**
 * Fills in, without a terminal, what would be proposed at one: what was there before, else our own
 * proposal. Nothing that was given changes, and no section comes from nowhere.
 *
 * @returns the draft, and the places that were filled in.
 */
export function withProposals(given: Draft, before: Draft): { draft: Draft; proposed: Path[] } {
  const ofTargets = namesIn(given, "targets").flatMap((name) =>
    Object.entries(OF_TARGET[String(at(given, ["targets", name, "type"]))] ?? {}).map(
      ([key, propose]) => ({
        of: ["targets", name, key],
        propose: (draft: Draft) => propose(draft, name),
      }),
    ),
  );
  const proposed: Path[] = [];
  let draft = given;
  for (const { of, propose } of [...PROPOSALS, ...ofTargets]) {
    const section = at(draft, of.slice(0, -1));
    if (!isRecord(section) || at(draft, of) !== undefined) continue;
    // A server in a tunnel of its own is on no address of the peer.
    if (of.at(-1) === "listen" && section.tunnel !== undefined) continue;
    const value = at(before, of) ?? propose(draft);
    if (value === undefined) continue;
    draft = withValue(draft, of, value);
    proposed.push(of);
  }
  return { draft, proposed };
}
