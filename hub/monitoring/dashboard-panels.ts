/** What the dashboard shows: each panel with what it asks, its unit and its legend. */

/** One query of a panel. */
export interface Query {
  readonly expr: string;
  readonly legend: string;
}

/** What is shown how. */
export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: "stat" | "timeseries" | "bargauge" | "state-timeline";
  /** Grafana's name of it: `s`, `bytes`, `none`, `percentunit`. */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Where it turns amber, and where red; see {@link stepsOf}. */
  readonly steps?: readonly [amber: number, red: number];
  readonly isStacked?: boolean;
  /** In 24ths of the page's width. */
  readonly width: number;
  readonly height: number;
}

const HOUR = 3600;
const DAY = 24 * HOUR;
/** Of the hubs that are chosen. */
const HUB = `instance=~"$instance"`;

const only = (name: string, more = ""): string =>
  `offsite_${name}{${HUB}${more === "" ? "" : `, ${more}`}}`;

const query = (expr: string, legend: string): Query => ({ expr, legend });

const since = (name: string): string => `time() - ${only(name)}`;

/** Nothing found is none, as long as there is a hub at all. */
const orNone = (expr: string): string => `(${expr}) or 0 * max(${only("healthy")})`;

const STATS: readonly Panel[] = [
  stat(
    "Problems",
    "What offsite-hub status finds wrong.",
    "none",
    `sum(${only("problems")})`,
    [1, 1],
  ),
  stat(
    "Hosts not backed up",
    "Hosts whose backups are overdue, cut off, lost, unreadable, or were never seen.",
    "none",
    orNone(`count(${only("backup_outcome", 'outcome="ok"')} == 0)`),
    [1, 1],
  ),
  stat(
    "Oldest backup",
    "The age of the newest snapshot of the host that is worst off.",
    "s",
    `max(${since("backup_last_timestamp_seconds")})`,
    [36 * HOUR, 48 * HOUR],
  ),
  stat(
    "Targets out of reach",
    "Targets that did not answer the last run.",
    "none",
    orNone(`count(${only("target_reachable")} == 0)`),
    [1, 1],
  ),
  stat(
    "Waiting to leave",
    "What is at the hub and not known to be at a target.",
    "bytes",
    `sum(${only("waiting_bytes")})`,
    [5e9, 2e10],
  ),
  stat(
    "Age of these figures",
    "When it grows, all else here is of the past.",
    "s",
    `max(${since("metrics_timestamp_seconds")})`,
    [3 * HOUR, 6 * HOUR],
  ),
];

const BACKUPS: readonly Panel[] = [
  graph(
    "Age of each host's newest snapshot",
    "Saw teeth are good. The dashed line is the hub's threshold.",
    "s",
    [
      query(since("backup_last_timestamp_seconds"), "{{host}}"),
      query(`max(${only("threshold_seconds", 'kind="backup"')})`, "threshold"),
    ],
  ),
  graph(
    "Size of each host's repository",
    "At the hub.",
    "bytes",
    [query(only("repository_size_bytes"), "{{host}}")],
    true,
  ),
];

const TARGETS: readonly Panel[] = [
  graph("Lag of each target", "Since when its worst host is not complete there.", "s", [
    query(`max by (target) (${since("target_fresh_timestamp_seconds")})`, "{{target}}"),
  ]),
  graph("Waiting for each target", "Bytes of the hub that are not known to be there.", "bytes", [
    query(`sum by (target) (${only("waiting_bytes")})`, "{{target}}"),
  ]),
  graph("Growth of each target", "What it holds, and its limit where it has one.", "bytes", [
    query(`sum by (target) (${only("target_held_bytes")})`, "{{target}}"),
    query(`max by (target) (${only("target_limit_bytes")})`, "{{target}} limit"),
  ]),
  graph("Sent by the last mirror", "A night's change.", "bytes", [
    query(`sum by (target) (${only("mirror_last_run_sent_bytes")})`, "{{target}}"),
  ]),
];

const RUNS: readonly Panel[] = [
  graph("How long backups take", "Needs the repositories' passwords at the hub.", "s", [
    query(only("backup_last_duration_seconds"), "{{host}}"),
  ]),
  graph("How long runs take", "All hosts of a run together.", "s", [
    query(`sum by (target) (${only("mirror_last_run_duration_seconds")})`, "mirror {{target}}"),
    query(`sum by (target) (${only("verify_last_run_duration_seconds")})`, "verify {{target}}"),
    query(`sum(${only("prune_last_run_duration_seconds")})`, "prune"),
  ]),
  {
    ...panel(
      "Whether runs succeeded",
      "The last run of each kind, for the host that is worst off.",
      "state-timeline",
      "none",
      [
        query(`min by (target) (${only("mirror_last_run_success")})`, "mirror {{target}}"),
        query(`min by (target) (${only("verify_last_run_success")})`, "verify {{target}}"),
        query(`min by (target) (${only("drill_last_run_success")})`, "drill {{target}}"),
        query(`min by (target) (${only("control_last_run_success")})`, "broken copy {{target}}"),
        query(`min(${only("prune_last_run_success")})`, "prune"),
      ],
    ),
    width: 12,
    height: 8,
  },
  {
    ...panel(
      "Time since the last good drill",
      "Restored from there, and checked.",
      "bargauge",
      "s",
      [query(since("drill_last_success_timestamp_seconds"), "{{host}} from {{target}}")],
    ),
    steps: [35 * DAY, 40 * DAY],
    width: 12,
    height: 8,
  },
];

const KEYS: readonly Panel[] = [
  graph("Credential generations", "That each target accepted last; a step is a rotation.", "none", [
    query(`max by (target) (${only("credential_generation")})`, "{{target}}"),
  ]),
  {
    ...panel("No deployment is owed", "Before the next rotation.", "state-timeline", "none", [
      query(`1 - max by (target, by) (${only("deployment_owed")})`, "{{target}} by {{by}}"),
    ]),
    width: 12,
    height: 8,
  },
  {
    ...panel("Keys and certificates end in", "Those that end by themselves.", "bargauge", "s", [
      query(`${only("key_expiry_timestamp_seconds")} - time()`, "{{key}} key of {{target}}"),
      query(
        `${only("certificate_expiry_timestamp_seconds")} - time()`,
        "certificate of {{target}}",
      ),
    ]),
    steps: [30 * DAY, 14 * DAY],
    width: 12,
    height: 8,
  },
  graph("Problems", "What offsite-hub status finds wrong, over time.", "none", [
    query(`sum(${only("problems")})`, "problems"),
    query(`sum(${only("verify_damaged_files")})`, "damaged files"),
    query(`sum(${only("verify_missing_files")})`, "missing files"),
    query(`sum(${only("verify_stranger_files")})`, "files of strangers"),
  ]),
  graph("Free on the hub's disks", "By the folder that is on it.", "bytes", [
    query(only("hub_disk_available_bytes"), "{{folder}}"),
  ]),
  {
    ...panel("Guests", "How much of its limit each has.", "bargauge", "percentunit", [
      query(`${only("guest_size_bytes")} / ${only("guest_limit_bytes")}`, "{{guest}}"),
    ]),
    steps: [0.8, 0.9],
    width: 12,
    height: 8,
  },
];

function panel(
  title: string,
  description: string,
  type: Panel["type"],
  unit: string,
  queries: readonly Query[],
) {
  return { title, description, type, unit, queries };
}

function stat(
  title: string,
  description: string,
  unit: string,
  expr: string,
  steps: readonly [number, number],
): Panel {
  return {
    ...panel(title, description, "stat", unit, [query(expr, title)]),
    steps,
    width: 4,
    height: 4,
  };
}

function graph(
  title: string,
  description: string,
  unit: string,
  queries: readonly Query[],
  isStacked = false,
): Panel {
  return {
    ...panel(title, description, "timeseries", unit, queries),
    isStacked,
    width: 12,
    height: 8,
  };
}

/** All panels, in their order. */
export const PANELS: readonly Panel[] = [...STATS, ...BACKUPS, ...TARGETS, ...RUNS, ...KEYS];
