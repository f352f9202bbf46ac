/** What a hub's metrics are like over days, and all that fires then. */
import { gap, held, hour, ticking } from "../promtool.ts";

/** Series of some days, and at some moments all alerts that fire, by name. */
export interface Story {
  readonly title: string;
  readonly series: Readonly<Record<string, string>>;
  readonly moments: readonly {
    readonly at: string;
    readonly fires: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>;
  }[];
}

const HOSTS = ["q", "minos"];
const TARGETS = ["cloud", "peer"];
const HOURS = 192;

/** Once a day at some hour, as the metrics show it. */
function daily(at: number, days = HOURS / 24): string {
  const nights = Array.from({ length: days }, (_, day) => held(hour(24 * day + at), 24));
  return `${held(hour(at - 24), at)} ${nights.join(" ")}`;
}

/** Once a week, as the metrics show it. */
function weekly(): string {
  return `${held(0, 168)} ${held(hour(168), HOURS - 168)}`;
}

/** Eight days in which all is well. */
function wellSeries(): Record<string, string> {
  const series: Record<string, string> = {
    up: held(1, HOURS),
    offsite_metrics_timestamp_seconds: ticking(HOURS),
    offsite_healthy: held(1, HOURS),
    offsite_unowned_repositories: held(0, HOURS),
    'offsite_threshold_seconds{kind="backup"}': held(hour(48), HOURS),
    'offsite_threshold_seconds{kind="verify"}': held(hour(24 * 9), HOURS),
    'offsite_threshold_seconds{kind="drill"}': held(hour(24 * 40), HOURS),
    'offsite_threshold_seconds{kind="prune"}': held(hour(24 * 3), HOURS),
    'offsite_hub_disk_size_bytes{folder="repositories"}': held(5e11, HOURS),
    'offsite_hub_disk_available_bytes{folder="repositories"}': "200000000000-1000000x2300",
    'offsite_certificate_start_timestamp_seconds{target="peer"}': held(hour(-24 * 50), HOURS),
    'offsite_certificate_expiry_timestamp_seconds{target="peer"}': held(hour(24 * 40), HOURS),
    'offsite_certificate_seen_timestamp_seconds{target="peer"}': held(0, HOURS),
    'offsite_key_expiry_timestamp_seconds{target="cloud", key="current"}': held(hour(9000), HOURS),
    'offsite_target_limit_bytes{target="peer"}': held(2e11, HOURS),
    offsite_client_last_run_success: held(1, HOURS),
    'offsite_client_deployment_owed{by="hub"}': held(0, HOURS),
  };
  for (const host of HOSTS) {
    const labels = `{host="${host}"}`;
    series[`offsite_backup_last_timestamp_seconds${labels}`] = daily(1);
    for (const outcome of ["ok", "unfinished", "overdue", "never", "lost", "unknown"]) {
      series[`offsite_backup_outcome{host="${host}", outcome="${outcome}"}`] = held(
        Number(outcome === "ok"),
        HOURS,
      );
    }
    series[`offsite_repository_readable${labels}`] = held(1, HOURS);
    series[`offsite_repository_foreign_files${labels}`] = held(0, HOURS);
    series[`offsite_repository_snapshots${labels}`] = `${held(18, 4)} ${held(17, HOURS - 4)}`;
    series[`offsite_repository_size_bytes${labels}`] = `${held(6e9, 52)} ${held(4e9, HOURS - 52)}`;
    series[`offsite_prune_last_run_timestamp_seconds${labels}`] = daily(4);
    series[`offsite_prune_last_success_timestamp_seconds${labels}`] = daily(4);
    series[`offsite_prune_last_run_success${labels}`] = held(1, HOURS);
    series[`offsite_prune_last_run_removed_snapshots${labels}`] = held(1, HOURS);
    series[`offsite_prune_suspicious_snapshots${labels}`] = held(0, HOURS);
    series[`offsite_hub_verify_last_success_timestamp_seconds${labels}`] = weekly();
    series[`offsite_hub_verify_damaged_files${labels}`] = held(0, HOURS);
    for (const target of TARGETS) Object.assign(series, wellPlace(host, target));
  }
  for (const target of TARGETS) {
    series[`offsite_target_reachable{target="${target}"}`] = held(1, HOURS);
    series[`offsite_target_verify_last_run_success{target="${target}"}`] = held(1, HOURS);
    for (const by of ["hub", "target"]) {
      series[`offsite_deployment_owed{target="${target}", by="${by}"}`] = held(0, HOURS);
    }
  }
  return series;
}

function wellPlace(host: string, target: string): Record<string, string> {
  const labels = `{target="${target}", host="${host}"}`;
  const series: Record<string, string> = {
    [`offsite_target_fresh${labels}`]: held(1, HOURS),
    [`offsite_lost_snapshots${labels}`]: held(0, HOURS),
    [`offsite_target_held_bytes${labels}`]: held(6e9, HOURS),
    [`offsite_waiting_files${labels}`]: held(12, HOURS),
    [`offsite_waiting_bytes${labels}`]: held(2e8, HOURS),
    [`offsite_mirror_last_success_timestamp_seconds${labels}`]: daily(2),
    [`offsite_verify_last_success_timestamp_seconds${labels}`]: weekly(),
    [`offsite_drill_last_success_timestamp_seconds${labels}`]: held(0, HOURS),
  };
  for (const kind of ["mirror", "verify", "drill", "control"]) {
    series[`offsite_${kind}_last_run_success${labels}`] = held(1, HOURS);
  }
  for (const what of ["missing", "damaged", "stranger"]) {
    series[`offsite_verify_${what}_files${labels}`] = held(0, HOURS);
  }
  return series;
}

/** The same, but for these. */
function changed(changes: Readonly<Record<string, string>>): Record<string, string> {
  return { ...wellSeries(), ...changes };
}

export const STORIES: readonly [Story, ...Story[]] = [
  {
    title: "are quiet through eight days in which all is well",
    series: wellSeries(),
    moments: ["1h", "5h", "30h", "52h", "54h", "3h30m", "100h", "170h", "190h"].map((at) => ({
      at,
      fires: {},
    })),
  },
  {
    title: "are quiet in the first night of a new hub, on which nothing has run yet",
    series: {
      up: held(1, 40),
      offsite_metrics_timestamp_seconds: `${gap(2)} ${ticking(38, hour(2))}`,
      offsite_healthy: `${gap(2)} ${held(0, 38)}`,
      'offsite_backup_outcome{host="q", outcome="never"}': `${gap(2)} ${held(1, 38)}`,
      'offsite_repository_readable{host="q"}': `${gap(2)} ${held(1, 38)}`,
      'offsite_target_fresh{target="peer", host="minos"}': `${gap(6)} ${held(0, 34)}`,
      'offsite_waiting_files{target="peer", host="minos"}': `${gap(6)} ${held(4000, 34)}`,
      'offsite_waiting_bytes{target="peer", host="minos"}': `${gap(6)} ${held(9e10, 34)}`,
      'offsite_hub_disk_size_bytes{folder="repositories"}': held(5e11, 40),
      'offsite_hub_disk_available_bytes{folder="repositories"}': "450000000000-900000000x400",
      'offsite_repository_size_bytes{host="minos"}': "1000+900000000x400",
    },
    moments: [
      { at: "1h", fires: {} },
      { at: "10h", fires: {} },
      { at: "30h", fires: {} },
    ],
  },
  {
    title: "tell of one night without the peer in two lines a host, and of two as critical",
    series: changed({
      'offsite_target_reachable{target="peer"}': `${held(1, 99)} ${held(0, HOURS - 99)}`,
      'offsite_mirror_last_run_success{target="peer", host="q"}': `${held(1, 99)} ${held(0, HOURS - 99)}`,
      'offsite_mirror_last_success_timestamp_seconds{target="peer", host="q"}': `${held(hour(50), 74)} ${held(hour(74), HOURS - 74)}`,
      'offsite_waiting_files{target="peer", host="q"}': `${held(12, 99)} ${held(90, HOURS - 99)}`,
    }),
    moments: [
      {
        at: "101h",
        fires: {
          OffsiteTargetUnreachable: [{ target: "peer" }],
          OffsiteMirrorFailed: [{ target: "peer", host: "q" }],
        },
      },
      {
        at: "150h",
        fires: {
          OffsiteTargetUnreachable: [{ target: "peer" }],
          OffsiteTargetGone: [{ target: "peer" }],
          OffsiteMirrorFailed: [{ target: "peer", host: "q" }],
          OffsiteMirrorOverdue: [{ target: "peer", host: "q" }],
          OffsiteTargetBehind: [{ target: "peer", host: "q" }],
        },
      },
    ],
  },
  {
    title:
      "tell of a hub that went down as long as it is scraped, and of nothing that it said last",
    series: {
      up: `${held(1, 24)} ${held(0, 168)}`,
      offsite_metrics_timestamp_seconds: ticking(24),
      offsite_healthy: held(0, 24),
      'offsite_backup_last_timestamp_seconds{host="q"}': held(0, 24),
      'offsite_mirror_last_run_success{target="peer", host="q"}': held(0, 24),
      'up{instance="attic:9100", job="node"}': held(1, HOURS),
      'offsite_metrics_timestamp_seconds{instance="attic:9100", job="node"}': ticking(HOURS),
    },
    moments: ["26h", "150h"].map((at) => ({
      at,
      fires: { OffsiteHubDown: [{}], OffsiteMetricsGone: [{}] },
    })),
  },
];
