import { gap, held, hour, ticking, type Case } from "../promtool.ts";

const at = '{host="q", target="peer"}';
const place = [{ host: "q", target: "peer" }];
const peer = [{ target: "peer" }];
const reachable = 'offsite_target_reachable{target="peer"}';
const mirrored = `offsite_mirror_last_success_timestamp_seconds${at}`;
const mirrorOk = `offsite_mirror_last_run_success${at}`;
const fresh = `offsite_target_fresh${at}`;
const files = `offsite_waiting_files${at}`;
const bytes = `offsite_waiting_bytes${at}`;
const holds = `offsite_target_held_bytes${at}`;
const limit = 'offsite_target_limit_bytes{target="peer"}';

export const TARGETS: readonly Case[] = [
  {
    alert: "OffsiteTargetUnreachable",
    title: "fires after the first run that got no answer",
    series: { [reachable]: `${held(1, 24)} ${held(0, 24)}` },
    at: "25h",
    fires: peer,
  },
  {
    alert: "OffsiteTargetUnreachable",
    title: "is quiet about a target that answers, or was never asked",
    series: { [reachable]: held(1, 24) },
    at: "20h",
    fires: [],
  },
  {
    alert: "OffsiteTargetGone",
    title: "fires after two days without an answer",
    series: { [reachable]: `${held(1, 24)} ${held(0, 30)} _x15 ${held(0, 60)}` },
    at: "74h",
    fires: peer,
  },
  {
    alert: "OffsiteTargetGone",
    title: "is quiet after one night, and in the first days",
    series: {
      [reachable]: `${held(1, 60)} ${held(0, 48)}`,
      'offsite_target_reachable{target="new"}': `${gap(80)} ${held(0, 48)}`,
    },
    at: "100h",
    fires: [],
  },
  {
    alert: "OffsiteTargetGone",
    title: "ends as soon as one run got an answer",
    series: { [reachable]: `${held(0, 100)} ${held(1, 48)}` },
    at: "101h",
    fires: [],
  },
  {
    alert: "OffsiteMirrorFailed",
    title: "fires for the host whose last mirror failed",
    series: {
      [mirrorOk]: held(0, 10),
      'offsite_mirror_last_run_success{host="minos", target="peer"}': held(1, 10),
    },
    at: "1h",
    fires: place,
  },
  {
    alert: "OffsiteMirrorFailed",
    title: "ends with one that succeeds",
    series: { [mirrorOk]: `${held(0, 24)} ${held(1, 24)}` },
    at: "25h",
    fires: [],
  },
  {
    alert: "OffsiteMirrorOverdue",
    title: "fires for a run that never ended: no failure, and no success either",
    series: { [mirrored]: held(0, 60), [mirrorOk]: held(1, 60) },
    at: "49h",
    fires: place,
  },
  {
    alert: "OffsiteMirrorOverdue",
    title: "is quiet while one succeeds each night, through a change of the clock by an hour",
    series: { [mirrored]: `${held(0, 25)} ${held(hour(25), 23)} ${held(hour(48), 24)}` },
    at: "71h",
    fires: [],
  },
  {
    alert: "OffsiteMirrorOverdue",
    title: "goes by the hub's settings",
    series: {
      [mirrored]: held(0, 60),
      'offsite_threshold_seconds{kind="backup"}': held(hour(24), 60),
    },
    at: "25h",
    fires: place,
  },
  {
    alert: "OffsiteMirrorNeverSucceeded",
    title: "fires when a host with snapshots was never copied in two days",
    series: { [fresh]: held(0, 60) },
    at: "50h",
    fires: place,
  },
  {
    alert: "OffsiteMirrorNeverSucceeded",
    title: "fires when every run has failed",
    series: { [mirrorOk]: held(0, 60) },
    at: "50h",
    fires: place,
  },
  {
    alert: "OffsiteMirrorNeverSucceeded",
    title: "is quiet on a new hub, at a new target, and after one success however long ago",
    series: {
      [fresh]: held(0, 100),
      [mirrored]: held(0, 100),
      'offsite_target_fresh{host="q", target="new"}': `${gap(60)} ${held(0, 40)}`,
    },
    at: "90h",
    fires: [],
  },
  {
    alert: "OffsiteTargetBehind",
    title: "fires when many files wait without an end",
    series: { [files]: held(1200, 60), [bytes]: held(5e9, 60), [mirrored]: ticking(60) },
    at: "50h",
    fires: place,
  },
  {
    alert: "OffsiteTargetBehind",
    title: "fires by bytes, be they few files",
    series: { [files]: held(10, 60), [bytes]: held(2e9, 60), [mirrored]: ticking(60) },
    at: "50h",
    fires: place,
  },
  {
    alert: "OffsiteTargetBehind",
    title: "fires where only the one or the other is known",
    series: {
      [files]: held(1200, 60),
      'offsite_waiting_bytes{host="q", target="cloud"}': held(5e9, 60),
    },
    at: "50h",
    fires: [...place, { host: "q", target: "cloud" }],
  },
  {
    alert: "OffsiteTargetBehind",
    title: "fires for a few files where no mirror has succeeded since",
    series: { [files]: held(3, 60), [bytes]: held(3000, 60), [mirrored]: held(0, 60) },
    at: "50h",
    fires: place,
  },
  {
    alert: "OffsiteTargetBehind",
    title:
      "is quiet about what came during the mirror of a busy host, and what waits for the night",
    series: {
      [files]: `${held(20, 23)} ${held(800, 1)} ${held(20, 23)} ${held(900, 1)} ${held(20, 24)}`,
      [bytes]: `${held(2e7, 23)} ${held(2e9, 1)} ${held(2e7, 23)} ${held(2e9, 1)} ${held(2e7, 24)}`,
      [mirrored]: `${held(0, 24)} ${held(hour(24), 24)} ${held(hour(48), 24)}`,
    },
    at: "60h",
    fires: [],
  },
  {
    alert: "OffsiteTargetNearlyFull",
    title: "fires when all hosts together hold nine tenths of the limit",
    series: {
      [holds]: held(5e10, 10),
      'offsite_target_held_bytes{host="minos", target="peer"}': held(4.2e10, 10),
      [limit]: held(1e11, 10),
    },
    at: "1h",
    fires: peer,
  },
  {
    alert: "OffsiteTargetNearlyFull",
    title: "fires where the scrape's own label host took the name",
    series: {
      'offsite_target_held_bytes{exported_host="q", host="ursula", target="peer"}': held(5e10, 10),
      'offsite_target_held_bytes{exported_host="minos", host="ursula", target="peer"}': held(
        4.2e10,
        10,
      ),
      'offsite_target_limit_bytes{host="ursula", target="peer"}': held(1e11, 10),
    },
    at: "1h",
    fires: peer,
  },
  {
    alert: "OffsiteTargetNearlyFull",
    title: "is quiet below, at a target without a limit, and about another hub's bytes",
    series: {
      [holds]: held(5e10, 10),
      'offsite_target_held_bytes{host="q", target="cloud"}': held(9e11, 10),
      'offsite_target_held_bytes{host="q", target="peer", instance="attic:9100", job="node"}': held(
        4.9e10,
        10,
      ),
      [limit]: held(1e11, 10),
    },
    at: "1h",
    fires: [],
  },
  {
    alert: "OffsiteTargetFull",
    title: "fires when what waits does not fit",
    series: { [holds]: held(8e10, 10), [bytes]: held(3e10, 10), [limit]: held(1e11, 10) },
    at: "1h",
    fires: peer,
  },
  {
    alert: "OffsiteTargetFull",
    title: "fires when the limit is reached and nothing waits",
    series: { [holds]: held(9.9e10, 10), [limit]: held(1e11, 10) },
    at: "1h",
    fires: peer,
  },
  {
    alert: "OffsiteTargetFull",
    title: "is quiet when what waits fits",
    series: { [holds]: held(8e10, 10), [bytes]: held(1e10, 10), [limit]: held(1e11, 10) },
    at: "1h",
    fires: [],
  },
];
