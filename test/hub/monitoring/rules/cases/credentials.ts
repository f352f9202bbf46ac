import { gap, held, hour, type Case } from "../promtool.ts";

const owed = 'offsite_deployment_owed{target="peer", by="hub"}';
const clientOwed = 'offsite_client_deployment_owed{by="hub"}';
const key = 'offsite_key_expiry_timestamp_seconds{target="cloud", key="next"}';
const end = 'offsite_certificate_expiry_timestamp_seconds{target="peer"}';
const start = 'offsite_certificate_start_timestamp_seconds{target="peer"}';
const seen = 'offsite_certificate_seen_timestamp_seconds{target="peer"}';
const peer = [{ target: "peer" }];
const days = (count: number): number => hour(24 * count);

const certificates: readonly Case[] = [
  {
    alert: "OffsiteCertificateEndsSoon",
    title: "fires when a certificate of 90 days has ten left",
    series: { [start]: held(days(-80), 24), [end]: held(days(10), 24), [seen]: held(0, 24) },
    at: "3h",
    fires: peer,
  },
  {
    alert: "OffsiteCertificateEndsSoon",
    title: "fires for a short one that was late when it was seen",
    series: { [start]: held(hour(-130), 24), [end]: held(hour(14), 24), [seen]: held(0, 24) },
    at: "3h",
    fires: peer,
  },
  {
    alert: "OffsiteCertificateEndsSoon",
    title: "fires where its end alone is known",
    series: { [end]: held(days(5), 24) },
    at: "3h",
    fires: peer,
  },
  {
    alert: "OffsiteCertificateEndsSoon",
    title: "is quiet about one of 90 days that was about to be renewed when a verify saw it",
    series: { [start]: held(days(-59), 240), [end]: held(days(31), 240), [seen]: held(0, 240) },
    at: "216h",
    fires: [],
  },
  {
    alert: "OffsiteCertificateEndsSoon",
    title: "is quiet about one of six days, which is renewed between two verifies",
    series: { [start]: held(0, 240), [end]: held(days(6), 240), [seen]: held(hour(1), 240) },
    at: "160h",
    fires: [],
  },
  {
    alert: "OffsiteCertificateEnded",
    title: "fires when it has ended, and three days before",
    series: {
      [start]: held(days(-88), 24),
      [end]: held(days(2), 24),
      'offsite_certificate_expiry_timestamp_seconds{target="attic"}': held(days(-3), 24),
    },
    at: "3h",
    fires: [{ target: "peer" }, { target: "attic" }],
  },
  {
    alert: "OffsiteCertificateEnded",
    title: "is quiet about one of six days that was seen a week ago",
    series: { [start]: held(0, 240), [end]: held(days(6), 240), [seen]: held(hour(1), 240) },
    at: "170h",
    fires: [],
  },
];

export const CREDENTIALS: readonly Case[] = [
  ...certificates,
  {
    alert: "OffsiteDeploymentOwed",
    title: "fires after three days, whatever scrapes have failed",
    series: { [owed]: `${held(0, 24)} ${held(1, 30)} _x20 ${held(1, 60)}` },
    at: "100h",
    fires: [{ target: "peer", by: "hub" }],
  },
  {
    alert: "OffsiteDeploymentOwed",
    title: "goes by the hosts' credentials where nothing else is known, once a target",
    series: {
      'offsite_credential_offset{target="peer", host="q"}': held(1, 100),
      'offsite_credential_offset{target="peer", host="minos"}': held(1, 100),
      'offsite_credential_offset{target="cloud", host="q"}': held(0, 100),
      'offsite_credential_offset{target="attic", host="q"}': held(-1, 100),
    },
    at: "80h",
    fires: [
      { target: "peer", by: "hub" },
      { target: "attic", by: "target" },
    ],
  },
  {
    alert: "OffsiteDeploymentOwed",
    title: "gives three days for it, and as long again after each deployment",
    series: {
      [owed]: `${held(1, 60)} ${held(0, 12)} ${held(1, 60)}`,
      'offsite_deployment_owed{target="new", by="target"}': `${gap(60)} ${held(1, 60)}`,
    },
    at: "130h",
    fires: [],
  },
  {
    alert: "OffsiteKeyEndsSoon",
    title: "fires thirty days before, in the words for that key",
    series: { [key]: held(days(29), 24) },
    at: "3h",
    fires: [{ target: "cloud", key: "next" }],
  },
  {
    alert: "OffsiteKeyEndsSoon",
    title: "is quiet before that",
    series: { [key]: held(days(40), 24) },
    at: "3h",
    fires: [],
  },
  {
    alert: "OffsiteKeyEnded",
    title: "fires when it has ended",
    series: { [key]: held(hour(1), 24) },
    at: "3h",
    fires: [{ target: "cloud", key: "next" }],
  },
  {
    alert: "OffsiteKeyEnded",
    title: "is quiet a week before",
    series: { [key]: held(days(7), 24) },
    at: "3h",
    fires: [],
  },
  {
    alert: "OffsiteClientRefused",
    title: "fires when the hub refuses all that a host holds",
    series: {
      'offsite_client_credential{credential="refused", instance="q:9100", job="node"}': held(1, 24),
    },
    at: "3h",
    fires: [{ credential: "refused", instance: "q:9100" }],
  },
  {
    alert: "OffsiteClientRefused",
    title: "is quiet when it accepts one of them",
    series: {
      'offsite_client_credential{credential="refused"}': held(0, 24),
      'offsite_client_credential{credential="next"}': held(1, 24),
    },
    at: "3h",
    fires: [],
  },
  {
    alert: "OffsiteClientDeploymentOwed",
    title: "fires after three days",
    series: { [clientOwed]: held(1, 100) },
    at: "80h",
    fires: [{ by: "hub" }],
  },
  {
    alert: "OffsiteClientDeploymentOwed",
    title: "is quiet before",
    series: { [clientOwed]: held(1, 100) },
    at: "70h",
    fires: [],
  },
  {
    alert: "OffsiteClientBackupFailed",
    title: "fires when the last backup failed, though its snapshot may be there",
    series: { offsite_client_last_run_success: held(0, 24) },
    at: "3h",
    fires: [{}],
  },
  {
    alert: "OffsiteClientBackupFailed",
    title: "is quiet when it succeeded",
    series: { offsite_client_last_run_success: held(1, 24) },
    at: "3h",
    fires: [],
  },
];
