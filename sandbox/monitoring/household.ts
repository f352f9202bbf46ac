/**
 * A made-up household: its status at any time of a month, with one bad week, for the pictures and
 * for trying the dashboard's queries. The same time gives the same report.
 */
import type { Facts, ResultKind } from "../../hub/results.ts";
import type {
  GuestStatus,
  HostAtTarget,
  HostStatus,
  RunStatus,
  StatusReport,
  TargetStatus,
  Thresholds,
} from "../../hub/status/report.ts";
import { hostProblems, targetProblems } from "./problems.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const GIB = 2 ** 30;
/** How long the household has been there. */
export const DAYS = 31;

/** The hosts with what they hold at the beginning, and what a night adds, in GiB. */
const HOSTS: Readonly<Record<string, readonly [size: number, nightly: number]>> = {
  drhorrible: [5.1, 0.06],
  joker: [0.6, 0.01],
  lordhenry: [1.5, 0.02],
  minos: [0.3, 0.004],
  q: [9.6, 0.12],
  raishan: [0.9, 0.015],
  ursula: [1.2, 0.03],
};
const TARGETS = { cloud: "b2", peer: "rest-server" } as const;
type Target = keyof typeof TARGETS;

const THRESHOLDS: Thresholds = {
  backup: 48 * 3600,
  verify: (9 * DAY) / 1000,
  drill: (40 * DAY) / 1000,
  prune: (3 * DAY) / 1000,
  guest: (14 * DAY) / 1000,
};

/** The bad week: joker's disk is full, the peer's router is dead, and a copy has rotted. */
const BAD = { joker: [14, 18], peer: [16, 19], verify: [14, 20] } as const;
const ROTATED = 24;

function isBad(what: keyof typeof BAD, day: number): boolean {
  return day >= BAD[what][0] && day < BAD[what][1];
}

/** A number from 0 to 1 that is always the same for the same things. */
function noise(...of: readonly (string | number)[]): number {
  let hash = 2166136261;
  for (const character of of.join("/"))
    hash = Math.imul(hash ^ character.charCodeAt(0), 16777619) >>> 0;
  return (((hash ^ (hash >>> 15)) >>> 0) % 1000) / 1000;
}

/** The household's month ends at a midnight. */
export class Household {
  readonly start: number;
  readonly end: number;

  /** @param end - milliseconds since 1970; rounded down to a day. */
  constructor(end: number) {
    this.end = Math.floor(end / DAY) * DAY;
    this.start = this.end - DAYS * DAY;
  }

  /** The status as it was then. */
  at(time: number): StatusReport {
    const hosts = Object.fromEntries(
      Object.keys(HOSTS).map((host) => [host, this.#host(host, time)]),
    );
    const targets = Object.fromEntries(
      (Object.keys(TARGETS) as Target[]).map((name) => [name, this.#target(name, time)]),
    );
    const problems = [...hostProblems(hosts), ...targetProblems(targets)];
    return {
      version: 1,
      time: iso(time),
      stack: "prod",
      hub: "ursula",
      healthy: problems.length === 0,
      problems,
      notices: ["minos: the last prune found 1 snapshot with a suspicious time"],
      thresholds: THRESHOLDS,
      hosts,
      targets,
      guests: { laptop: this.#guest(time) },
      unowned: [],
      disks: [
        {
          folder: "repositories",
          sizeBytes: 120 * GIB,
          availableBytes: Math.round((34 - 0.25 * this.#day(time)) * GIB),
        },
      ],
    };
  }

  #day(time: number): number {
    return Math.floor((time - this.start) / DAY);
  }

  /** The last day whose event at this hour has come, and that counts. */
  #last(time: number, hour: number, counts: (day: number) => boolean = () => true): number {
    for (let day = this.#day(time - hour * HOUR); day >= -40; day -= 1) if (counts(day)) return day;
    return -40;
  }

  #when(day: number, hour: number): number {
    return this.start + day * DAY + hour * HOUR;
  }

  #host(host: string, time: number): HostStatus {
    const hour = 1 + 0.8 * noise(host, "hour");
    const day = this.#last(time, hour, (each) => host !== "joker" || !isBad("joker", each));
    const arrived = this.#when(day, hour);
    const [size = 1, nightly = 0] = HOSTS[host] ?? [];
    const seconds = 20 + 60 * size * (0.7 + 0.6 * noise(host, day, "took"));
    const ageSeconds = Math.round((time - arrived) / 1000);
    const pruned = this.#last(time, 4);
    return {
      seen: true,
      readable: true,
      outcome: ageSeconds > THRESHOLDS.backup ? "overdue" : "ok",
      active: false,
      lastBackup: {
        snapshot: noise(host, day).toString(16).slice(2).padEnd(64, "0"),
        arrived: iso(arrived),
        ageSeconds,
        started: iso(arrived - seconds * 1000),
        seconds,
        bytesProcessed: this.#size(host, day) * 1.3,
        bytesAdded: added(host, day, nightly),
      },
      snapshots: 16 + (day % 5),
      files: Math.round(this.#size(host, day) / (16 * 2 ** 20)) + 24,
      bytes: this.#size(host, day),
      foreign: 0,
      prune: this.#run(pruned, 4, 8 + 5 * size, { kept: 17, removed: 1, suspicious: 0 }),
      verify: this.#run(this.#last(time, 6, sunday), 6, 30 * size, verified(host)),
    };
  }

  /** It grows, and a prune takes some of that back each week. */
  #size(host: string, day: number): number {
    const [size = 1, nightly = 0] = HOSTS[host] ?? [];
    return Math.round((size + nightly * (day * 0.45 + (((day % 7) + 7) % 7) * 0.5)) * GIB);
  }

  #target(target: Target, time: number): TargetStatus {
    const hosts = Object.fromEntries(
      Object.keys(HOSTS).map((host) => [host, this.#copy(target, host, time)]),
    );
    const all = Object.values(hosts);
    const mirrored = this.#last(time, TARGETS[target] === "b2" ? 2 : 3);
    const bytes = all.reduce((sum, each) => sum + each.waitingBytes, 0);
    return {
      type: TARGETS[target],
      reachable: !(target === "peer" && isBad("peer", mirrored)),
      fresh: all.every(({ fresh }) => fresh),
      freshAsOf: all.map(({ freshAsOf }) => freshAsOf ?? "").sort()[0] ?? null,
      waitingFiles: all.reduce((sum, each) => sum + each.waitingFiles, 0),
      waitingBytes: bytes,
      credential: all[0]?.credential ?? null,
      certificate:
        target === "peer"
          ? {
              start: iso(this.start - 50 * DAY),
              end: iso(this.end + 40 * DAY),
              seen: iso(this.#when(this.#last(time, 6, sunday), 6)),
            }
          : null,
      limitBytes: (target === "peer" ? 60 : 40) * GIB,
      keys: target === "cloud" ? this.#keys(time) : [],
      verify: this.#run(this.#last(time, 6, sunday), 6, 41, verified("all")),
      thief: target === "cloud" ? this.#run(2, 9, 18, { files: 2 }) : null,
      hosts,
    };
  }

  #keys(time: number): TargetStatus["keys"] {
    const generation = this.#day(time) >= ROTATED ? 3 : 2;
    const expires = iso(this.end + 60 * DAY);
    return [
      { role: "current", generation, accepted: true, expires },
      { role: "next", generation: generation + 1, accepted: true, expires: null },
    ];
  }

  #copy(target: Target, host: string, time: number): HostAtTarget {
    const hour = TARGETS[target] === "b2" ? 2 : 3;
    const fails = (day: number): boolean => target === "peer" && isBad("peer", day);
    const last = this.#last(time, hour);
    const success = this.#last(time, hour, (day) => !fails(day));
    const [size = 1, nightly = 0] = HOSTS[host] ?? [];
    const arrived = this.#last(time, 1.9);
    let waitingBytes = 0;
    for (let day = success + 1; day <= arrived; day += 1) {
      if (host !== "joker" || !isBad("joker", day)) waitingBytes += added(host, day, nightly);
    }
    const waitingFiles = Math.ceil(waitingBytes / (16 * 2 ** 20));
    const rotated = this.#day(time) >= ROTATED;
    const owes = target === "peer" && this.#day(time) === ROTATED;
    const credential = {
      age: owes ? ("next" as const) : ("current" as const),
      generation: rotated ? 3 : 2,
      lastUsed: iso(this.#when(success, hour)),
    };
    const sent = waitingBytes > 0 && fails(last) ? 0 : added(host, last, nightly);
    const pace = TARGETS[target] === "b2" ? 4e6 : 9e6;
    const bad = target === "peer" && host === "q" && isBad("verify", this.#last(time, 6, sunday));
    return {
      fresh: time - this.#when(success, hour) <= THRESHOLDS.backup * 1000,
      freshAsOf: iso(this.#when(success, hour)),
      snapshots: 16 + (success % 5),
      heldBytes: this.#size(host, success) * 1.02,
      lostSnapshots: 0,
      waitingFiles,
      waitingBytes,
      credential,
      mirror: this.#run(
        last,
        hour,
        4 + (sent / pace) * (0.8 + 0.5 * noise(target, host, last)),
        {
          files: Math.ceil(sent / (16 * 2 ** 20)),
          bytes: sent,
          waitingFiles,
          waitingBytes,
          snapshots: 16,
          hidden: 0,
          credential: credential.age,
        },
        fails(last) ? ["connect ETIMEDOUT 100.64.0.9:8000"] : [],
        this.#when(success, hour),
      ),
      verify: this.#run(
        this.#last(time, 6, sunday),
        6,
        6 + 9 * size,
        { ...verified(host), damaged: bad ? 1 : 0 },
        bad ? ["1 file is not what its name says: data/3f/3f9ac01e"] : [],
      ),
      drill: this.#run(this.#last(time, 7, first), 7, 30 + 25 * size * (pace < 5e6 ? 2 : 1), {
        snapshot: null,
        snapshotTime: null,
        files: Math.round(size * 4000),
        bytes: this.#size(host, 0),
        checks: host === "q" ? 6 : 2,
      }),
      control: this.#run(-10, 7, 40 + 20 * size, { breakages: 4 }),
    };
  }

  #guest(time: number): GuestStatus {
    const day = this.#last(time, 20, (each) => each % 2 === 0);
    const arrived = this.#when(day, 20);
    const bytes = Math.round((41 + 0.35 * day) * GIB);
    return {
      seen: true,
      readable: true,
      lastBackup: { arrived: iso(arrived), ageSeconds: Math.round((time - arrived) / 1000) },
      snapshots: 30,
      files: 2800,
      bytes,
      diskBytes: bytes * 1.01,
      limitBytes: 60 * GIB,
    };
  }

  #run<Kind extends ResultKind>(
    day: number,
    hour: number,
    seconds: number,
    facts: Facts<Kind>,
    errors: readonly string[] = [],
    success?: number,
  ): RunStatus<Kind> {
    const started = this.#when(day, hour);
    const before = success ?? (errors.length === 0 ? started : started - 7 * DAY);
    const outcome = errors.length === 0 ? "ok" : "failed";
    return { started: iso(started), seconds, outcome, errors, lastSuccess: iso(before), facts };
  }
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

function sunday(day: number): boolean {
  return ((day % 7) + 7) % 7 === 0;
}

function first(day: number): boolean {
  return day === 9 || day === -21;
}

function added(host: string, day: number, nightly: number): number {
  return Math.round(nightly * (0.5 + noise(host, day, "added")) * GIB);
}

function verified(host: string): Facts<"verify"> {
  const files = Math.round((HOSTS[host]?.[0] ?? 19) * 64);
  return {
    files,
    bytes: files * 16 * 2 ** 20,
    missing: 0,
    damaged: 0,
    strangers: 0,
    readFiles: Math.ceil(files / 20),
    readBytes: Math.ceil(files / 20) * 16 * 2 ** 20,
  };
}
