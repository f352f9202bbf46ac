import { held, hour, ticking, type Case } from "../promtool.ts";

const guest = '{guest="laptop"}';
const laptop = [{ guest: "laptop" }];
const GIB = 2 ** 30;

export const REST: readonly Case[] = [
  {
    alert: "OffsiteGuestNearlyFull",
    title: "fires at nine tenths of what it may keep",
    series: {
      [`offsite_guest_size_bytes${guest}`]: held(95 * GIB, 10),
      [`offsite_guest_limit_bytes${guest}`]: held(100 * GIB, 10),
    },
    at: "2h",
    fires: laptop,
  },
  {
    alert: "OffsiteGuestNearlyFull",
    title: "is quiet below",
    series: {
      [`offsite_guest_size_bytes${guest}`]: held(50 * GIB, 10),
      [`offsite_guest_limit_bytes${guest}`]: held(100 * GIB, 10),
    },
    at: "2h",
    fires: [],
  },
  {
    alert: "OffsiteGuestOverLimit",
    title: "fires when it takes more of the disk than its limit",
    series: {
      [`offsite_guest_disk_bytes${guest}`]: held(120 * GIB, 10),
      [`offsite_guest_limit_bytes${guest}`]: held(100 * GIB, 10),
    },
    at: "2h",
    fires: laptop,
  },
  {
    alert: "OffsiteGuestOverLimit",
    title: "is quiet within what a file system adds",
    series: {
      [`offsite_guest_disk_bytes${guest}`]: held(104 * GIB, 10),
      [`offsite_guest_limit_bytes${guest}`]: held(100 * GIB, 10),
    },
    at: "2h",
    fires: [],
  },
  {
    alert: "OffsiteGuestUnreadable",
    title: "fires when its repository cannot be read",
    series: { [`offsite_guest_readable${guest}`]: held(0, 10) },
    at: "2h",
    fires: laptop,
  },
  {
    alert: "OffsiteGuestUnreadable",
    title: "is quiet when it can",
    series: { [`offsite_guest_readable${guest}`]: held(1, 10) },
    at: "2h",
    fires: [],
  },
  {
    alert: "OffsiteGuestQuiet",
    title: "fires after two weeks",
    series: { [`offsite_guest_backup_last_timestamp_seconds${guest}`]: held(hour(-24 * 14), 10) },
    at: "2h",
    fires: laptop,
  },
  {
    alert: "OffsiteGuestQuiet",
    title: "goes by the hub's settings",
    series: {
      [`offsite_guest_backup_last_timestamp_seconds${guest}`]: held(hour(-24 * 14), 10),
      'offsite_threshold_seconds{kind="guest"}': held(hour(24 * 60), 10),
    },
    at: "2h",
    fires: [],
  },
  {
    alert: "OffsiteUnhealthy",
    title: "fires when status has had problems for two days and no other alert has a word for them",
    series: { offsite_healthy: held(0, 60), offsite_metrics_timestamp_seconds: ticking(60) },
    at: "52h",
    fires: [{}],
  },
  {
    alert: "OffsiteUnhealthy",
    title: "is quiet while another alert of that hub fires",
    series: {
      offsite_healthy: held(0, 60),
      'offsite_repository_foreign_files{host="q"}': held(3, 60),
    },
    at: "52h",
    fires: [],
  },
  {
    alert: "OffsiteUnhealthy",
    title: "fires whatever fires at another hub",
    series: {
      offsite_healthy: held(0, 60),
      'offsite_repository_foreign_files{host="q", instance="attic:9100", job="node"}': held(3, 60),
    },
    at: "52h",
    fires: [{}],
  },
  {
    alert: "OffsiteUnhealthy",
    title: "is quiet in the first two days, and where a day was well",
    series: {
      offsite_healthy: `${held(0, 20)} ${held(1, 20)} ${held(0, 20)}`,
      'offsite_healthy{instance="attic:9100", job="node"}': `_x240 ${held(0, 40)}`,
    },
    at: "55h",
    fires: [],
  },
];
