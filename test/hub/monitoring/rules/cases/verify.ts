import { gap, held, hour, ticking, type Case } from "../promtool.ts";

const at = '{host="q", target="peer"}';
const place = [{ host: "q", target: "peer" }];
const peer = [{ target: "peer" }];
const fresh = `offsite_target_fresh${at}`;
const whole = 'offsite_target_verify_last_run_success{target="peer"}';

/** One alert on a gauge: it fires where the gauge is so, and not where it is otherwise. */
function simple(
  alert: string,
  series: string,
  bad: number,
  good: number,
  fires: Case["fires"],
): Case[] {
  return [
    { alert, title: `fires at ${bad}`, series: { [series]: held(bad, 10) }, at: "1h", fires },
    {
      alert,
      title: `is quiet at ${good}`,
      series: { [series]: held(good, 10) },
      at: "1h",
      fires: [],
    },
  ];
}

export const VERIFY: readonly Case[] = [
  ...simple("OffsiteTargetFilesDamaged", `offsite_verify_damaged_files${at}`, 1, 0, place),
  ...simple("OffsiteTargetFilesMissing", `offsite_verify_missing_files${at}`, 7, 0, place),
  ...simple("OffsiteStrangerFiles", `offsite_verify_stranger_files${at}`, 1, 0, place),
  ...simple("OffsiteVerifyFailed", `offsite_verify_last_run_success${at}`, 0, 1, place),
  ...simple("OffsiteTargetVerifyFailed", whole, 0, 1, peer),
  ...simple("OffsiteDrillFailed", `offsite_drill_last_run_success${at}`, 0, 1, place),
  ...simple("OffsiteControlFailed", `offsite_control_last_run_success${at}`, 0, 1, place),
  ...simple("OffsiteThiefFailed", 'offsite_thief_last_run_success{target="peer"}', 0, 1, peer),
  {
    alert: "OffsiteTargetVerifyFailed",
    title: "says nothing of the protection of a target that did not answer",
    series: { [whole]: held(0, 10), 'offsite_target_reachable{target="peer"}': held(0, 10) },
    at: "1h",
    fires: [],
  },
  {
    alert: "OffsiteTargetVerifyFailed",
    title: "says nothing of it for a week after one verify that got no answer",
    series: {
      [whole]: held(0, 10),
      'offsite_target_reachable{target="peer"}': held(1, 10),
      [`offsite_verify_last_run_success${at}`]: held(0, 10),
      'offsite_verify_last_run_success{host="minos", target="peer"}': held(0, 10),
    },
    at: "1h",
    fires: [],
  },
  {
    alert: "OffsiteTargetVerifyFailed",
    title: "fires where the hosts' copies are well and what must be refused was not",
    series: {
      [whole]: held(0, 10),
      'offsite_target_reachable{target="peer"}': held(1, 10),
      [`offsite_verify_last_run_success${at}`]: held(1, 10),
    },
    at: "1h",
    fires: peer,
  },
  {
    alert: "OffsiteVerifyOverdue",
    title: "fires nine days after the last that succeeded, whatever ran since",
    series: {
      [`offsite_verify_last_success_timestamp_seconds${at}`]: held(0, 240),
      [`offsite_verify_last_run_timestamp_seconds${at}`]: ticking(240),
    },
    at: "220h",
    fires: place,
  },
  {
    alert: "OffsiteVerifyOverdue",
    title: "is quiet while one succeeds each week",
    series: {
      [`offsite_verify_last_success_timestamp_seconds${at}`]: `${held(0, 168)} ${held(hour(168), 100)}`,
    },
    at: "230h",
    fires: [],
  },
  {
    alert: "OffsiteVerifyNeverSucceeded",
    title: "fires after nine days without one, at a copy that is otherwise well",
    series: { [fresh]: held(1, 240) },
    at: "220h",
    fires: place,
  },
  {
    alert: "OffsiteVerifyNeverSucceeded",
    title: "is quiet at a new target, and where one has succeeded",
    series: {
      [fresh]: held(1, 240),
      [`offsite_verify_last_success_timestamp_seconds${at}`]: held(0, 240),
      'offsite_target_fresh{host="q", target="new"}': `${gap(100)} ${held(1, 140)}`,
    },
    at: "230h",
    fires: [],
  },
  {
    alert: "OffsiteDrillOverdue",
    title: "fires after the days that the settings allow",
    series: {
      [`offsite_drill_last_success_timestamp_seconds${at}`]: held(0, 100),
      'offsite_threshold_seconds{kind="drill"}': held(hour(72), 100),
    },
    at: "75h",
    fires: place,
  },
  {
    alert: "OffsiteDrillOverdue",
    title: "is quiet within forty days, where no setting is known",
    series: { [`offsite_drill_last_success_timestamp_seconds${at}`]: held(hour(-24 * 35), 100) },
    at: "95h",
    fires: [],
  },
  {
    alert: "OffsiteDrillOverdue",
    title: "fires after forty days, where no setting is known",
    series: { [`offsite_drill_last_success_timestamp_seconds${at}`]: held(hour(-24 * 40), 100) },
    at: "2h",
    fires: place,
  },
  {
    alert: "OffsiteDrillNeverSucceeded",
    title: "fires after two weeks without one",
    series: { [fresh]: held(1, 360) },
    at: "345h",
    fires: place,
  },
  {
    alert: "OffsiteDrillNeverSucceeded",
    title: "is quiet in the first two weeks",
    series: { [fresh]: held(1, 360) },
    at: "300h",
    fires: [],
  },
];
