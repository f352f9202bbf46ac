import { held, hour, ticking, type Case } from "../promtool.ts";

const q = [{ host: "q" }];
const free = 'offsite_hub_disk_available_bytes{folder="repositories"}';
const total = 'offsite_hub_disk_size_bytes{folder="repositories"}';
const disk = [{ folder: "repositories" }];
const pruneSuccess = 'offsite_prune_last_success_timestamp_seconds{host="q"}';
const pruneOk = 'offsite_prune_last_run_success{host="q"}';
const verifySuccess = 'offsite_hub_verify_last_success_timestamp_seconds{host="q"}';
const damaged = 'offsite_hub_verify_damaged_files{host="q"}';

export const HUB: readonly Case[] = [
  {
    alert: "OffsiteHubFilesDamaged",
    title: "fires for a damaged file",
    series: { [damaged]: held(2, 10) },
    at: "1h",
    fires: q,
  },
  {
    alert: "OffsiteHubFilesDamaged",
    title: "is quiet without any",
    series: { [damaged]: held(0, 10) },
    at: "1h",
    fires: [],
  },
  {
    alert: "OffsiteHubVerifyFailed",
    title: "fires when the look at the hub's own files failed",
    series: {
      'offsite_hub_verify_last_run_success{host="q"}': held(0, 10),
      [damaged]: held(0, 10),
    },
    at: "1h",
    fires: q,
  },
  {
    alert: "OffsiteHubVerifyFailed",
    title: "leaves damage to OffsiteHubFilesDamaged",
    series: {
      'offsite_hub_verify_last_run_success{host="q"}': held(0, 10),
      [damaged]: held(1, 10),
      'offsite_hub_verify_last_run_success{host="minos"}': held(1, 10),
    },
    at: "1h",
    fires: [],
  },
  {
    alert: "OffsiteHubVerifyOverdue",
    title: "fires after nine days",
    series: { [verifySuccess]: held(0, 240) },
    at: "222h",
    fires: q,
  },
  {
    alert: "OffsiteHubVerifyOverdue",
    title: "is quiet after eight",
    series: { [verifySuccess]: held(0, 240) },
    at: "200h",
    fires: [],
  },
  {
    alert: "OffsitePruneFailed",
    title: "fires when the last one failed",
    series: { [pruneOk]: held(0, 10) },
    at: "1h",
    fires: q,
  },
  {
    alert: "OffsitePruneFailed",
    title: "is quiet when it succeeded",
    series: { [pruneOk]: held(1, 10) },
    at: "1h",
    fires: [],
  },
  {
    alert: "OffsitePruneOverdue",
    title: "fires three days after the last that succeeded",
    series: { [pruneSuccess]: held(0, 90) },
    at: "74h",
    fires: q,
  },
  {
    alert: "OffsitePruneOverdue",
    title: "fires when none has ever succeeded in three days",
    series: { [pruneOk]: held(0, 90) },
    at: "74h",
    fires: q,
  },
  {
    alert: "OffsitePruneOverdue",
    title: "is quiet in the first days, and where the settings allow more",
    series: {
      [pruneOk]: held(0, 90),
      'offsite_prune_last_success_timestamp_seconds{host="minos"}': held(0, 90),
      'offsite_threshold_seconds{kind="prune"}': held(hour(24 * 7), 90),
    },
    at: "72h",
    fires: [],
  },
  {
    alert: "OffsiteDiskNearlyFull",
    title: "fires below a tenth",
    series: { [free]: held(8e9, 10), [total]: held(1e11, 10) },
    at: "1h",
    fires: disk,
  },
  {
    alert: "OffsiteDiskNearlyFull",
    title: "is quiet above it",
    series: { [free]: held(2e10, 10), [total]: held(1e11, 10) },
    at: "1h",
    fires: [],
  },
  {
    alert: "OffsiteDiskFull",
    title: "fires when nothing is free",
    series: { [free]: held(0, 10), [total]: held(1e11, 10) },
    at: "1h",
    fires: disk,
  },
  {
    alert: "OffsiteDiskFull",
    title: "is quiet while a tenth is free",
    series: { [free]: held(1e10, 10), [total]: held(1e11, 10) },
    at: "1h",
    fires: [],
  },
  {
    alert: "OffsiteDiskFillsUp",
    title: "fires when the disk will be full in two days",
    series: { [free]: "49900000000-30000000x1500", [total]: held(1e11, 120) },
    at: "80h",
    fires: disk,
  },
  {
    alert: "OffsiteDiskFillsUp",
    title: "is quiet in the first days, in which all hosts send all they have",
    series: { [free]: "49900000000-100000000x400", [total]: held(1e11, 120) },
    at: "30h",
    fires: [],
  },
  {
    alert: "OffsiteDiskFillsUp",
    title: "is quiet about nights that fill and prunes that empty",
    series: {
      [free]: Array.from({ length: 6 }, () => "30000000000-30000000x287").join(" "),
      [total]: held(1e11, 150),
    },
    at: "120h",
    fires: [],
  },
  {
    alert: "OffsitePruneOverdue",
    title: "is quiet while one succeeds each night",
    series: { [pruneSuccess]: ticking(90), [pruneOk]: held(1, 90) },
    at: "80h",
    fires: [],
  },
];
