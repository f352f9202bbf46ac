import { gap, held, hour, ticking, type Case } from "../promtool.ts";

const written = "offsite_metrics_timestamp_seconds";
const brother = `${written}{instance="attic:9100", job="node"}`;

export const METRICS: readonly Case[] = [
  {
    alert: "OffsiteHubDown",
    title: "fires when the hub's node exporter does not answer",
    series: { up: `${held(1, 24)} ${held(0, 12)}`, [written]: ticking(24) },
    at: "30h",
    fires: [{}],
  },
  {
    alert: "OffsiteHubDown",
    title: "leaves out machines that are no hub, and a hub that starts anew",
    series: {
      'up{instance="printer:9100", job="node"}': held(0, 48),
      up: `${held(1, 24)} 0 0 ${held(1, 24)}`,
      [written]: ticking(48),
    },
    at: "1450m",
    fires: [],
  },
  {
    alert: "OffsiteMetricsGone",
    title: "fires when the metrics' file goes, for that hub alone",
    series: { [written]: ticking(24), [brother]: ticking(48), up: held(1, 48) },
    at: "30h",
    fires: [{}],
  },
  {
    alert: "OffsiteMetricsGone",
    title: "does not mind a scrape that fails, and forgets a hub that left after three days",
    series: { [written]: `${ticking(24)} _x3 ${ticking(120, hour(25))}`, [brother]: ticking(24) },
    at: "100h",
    fires: [],
  },
  {
    alert: "OffsiteMetricsAbsent",
    title: "fires where no hub has ever had metrics",
    series: { up: held(1, 24) },
    at: "6h",
    fires: [{ "-": "" }],
  },
  {
    alert: "OffsiteMetricsAbsent",
    title: "fires on when a hub's have been gone for days",
    series: { [written]: ticking(24) },
    at: "120h",
    fires: [{ "-": "" }],
  },
  {
    alert: "OffsiteMetricsAbsent",
    title: "is quiet while one hub of two has them",
    series: { [brother]: ticking(120), [written]: ticking(10) },
    at: "119h",
    fires: [],
  },
  {
    alert: "OffsiteMetricsStale",
    title: "fires when the exporter goes on serving an old file",
    series: { [written]: held(hour(10), 48) },
    at: "14h",
    fires: [{}],
  },
  {
    alert: "OffsiteMetricsStale",
    title: "is quiet while the file is written every hour",
    series: { [written]: "3600x11 7200x11 10800x11 14400x11 18000x11" },
    at: "295m",
    fires: [],
  },
  {
    alert: "OffsiteClockWrong",
    title: "fires when a snapshot arrived in the future, which would never be overdue",
    series: {
      [written]: ticking(48),
      'offsite_backup_last_timestamp_seconds{host="q"}': held(hour(9000), 48),
    },
    at: "10h",
    fires: [{ host: "q" }],
  },
  {
    alert: "OffsiteClockWrong",
    title: "fires when the metrics themselves are of tomorrow",
    series: { [written]: ticking(48, hour(24)) },
    at: "10h",
    fires: [{}],
  },
  {
    alert: "OffsiteClockWrong",
    title: "does not mind a minute",
    series: {
      [written]: ticking(48, 60),
      'offsite_backup_last_timestamp_seconds{host="q"}': ticking(48, 60),
    },
    at: "10h",
    fires: [],
  },
  {
    alert: "OffsiteMetricsGone",
    title: "goes on through a restart of Prometheus, which sees nothing for an hour",
    series: { [written]: ticking(24), up: `${held(1, 30)} ${gap(1)} ${held(1, 24)}` },
    at: "32h",
    fires: [{}],
  },
];
