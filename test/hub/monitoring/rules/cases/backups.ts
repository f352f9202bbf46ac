import { gap, held, hour, ticking, type Case } from "../promtool.ts";

const last = 'offsite_backup_last_timestamp_seconds{host="q"}';
const never = 'offsite_backup_outcome{host="q", outcome="never"}';
const lost = 'offsite_backup_outcome{host="q", outcome="lost"}';
const unfinished = 'offsite_backup_outcome{host="q", outcome="unfinished"}';
const snapshots = 'offsite_repository_snapshots{host="q"}';
const size = 'offsite_repository_size_bytes{host="q"}';
const pruned = 'offsite_prune_last_run_timestamp_seconds{host="q"}';
const removed = 'offsite_prune_last_run_removed_snapshots{host="q"}';
const threshold = 'offsite_threshold_seconds{kind="backup"}';
const q = [{ host: "q" }];

const overdue: readonly Case[] = [
  {
    title: "fires after 48 hours without a new snapshot",
    series: { [last]: held(0, 60) },
    at: "49h",
    fires: q,
  },
  {
    title: "is quiet after 47 hours",
    series: { [last]: held(0, 60) },
    at: "47h",
    fires: [],
  },
  {
    title: "goes by what the hub's settings say, earlier",
    series: { [last]: held(0, 60), [threshold]: held(hour(26), 60) },
    at: "27h",
    fires: q,
  },
  {
    title: "goes by what the hub's settings say, later",
    series: { [last]: held(0, 100), [threshold]: held(hour(96), 100) },
    at: "90h",
    fires: [],
  },
  {
    title: "keeps the settings of two hubs apart",
    series: {
      [last]: held(0, 60),
      [threshold]: held(hour(96), 60),
      'offsite_backup_last_timestamp_seconds{host="q", instance="attic:9100", job="node"}': held(
        0,
        60,
      ),
      'offsite_backup_last_timestamp_seconds{host="q", instance="cave:9100", job="node"}': held(
        0,
        60,
      ),
      'offsite_threshold_seconds{kind="backup", instance="attic:9100", job="node"}': held(
        hour(24),
        60,
      ),
    },
    at: "49h",
    fires: [
      { host: "q", instance: "attic:9100" },
      { host: "q", instance: "cave:9100" },
    ],
  },
  {
    title: "keeps two hubs behind one address apart by any other label",
    series: {
      'offsite_backup_last_timestamp_seconds{host="q", site="a", instance="x", job="node"}': held(
        0,
        60,
      ),
      'offsite_threshold_seconds{kind="backup", site="a", instance="x", job="node"}': held(
        hour(96),
        60,
      ),
      'offsite_backup_last_timestamp_seconds{host="q", site="b", instance="x", job="node"}': held(
        0,
        60,
      ),
      'offsite_threshold_seconds{kind="backup", site="b", instance="x", job="node"}': held(
        hour(24),
        60,
      ),
    },
    at: "30h",
    fires: [{ host: "q", site: "b", instance: "x" }],
  },
  {
    title: "falls back on 48 hours where hosts' series were given a label of their own",
    series: {
      'offsite_backup_last_timestamp_seconds{host="q", owner="ann"}': held(0, 60),
      'offsite_backup_last_timestamp_seconds{host="minos", owner="bob"}': ticking(60),
      [threshold]: held(hour(96), 60),
    },
    at: "49h",
    fires: [{ host: "q", owner: "ann" }],
  },
  {
    title: "works where the scrape's own label host took the name, and without any label",
    series: {
      'offsite_backup_last_timestamp_seconds{exported_host="q", host="ursula"}': held(0, 60),
      'offsite_threshold_seconds{kind="backup", host="ursula"}': held(hour(24), 60),
      'offsite_backup_last_timestamp_seconds{exported_host="minos", host="ursula"}': ticking(60),
    },
    at: "49h",
    fires: [{ exported_host: "q", host: "ursula" }],
  },
  {
    title: "ends when a backup arrives, and with a host that left the config",
    series: {
      [last]: `${held(0, 60)} ${ticking(10, hour(60))}`,
      'offsite_backup_last_timestamp_seconds{host="minos"}': held(0, 60),
    },
    at: "62h",
    fires: [],
  },
  {
    title: "does not end while a scrape or two fail",
    series: { [last]: `${held(0, 60)} _x2 ${held(0, 24)}` },
    at: "3610m",
    fires: q,
  },
  {
    title: "fires again at once after a day without any metrics",
    series: { [last]: `${held(0, 24)} ${gap(30)} ${held(0, 24)}` },
    at: "55h",
    fires: q,
  },
].map((each) => ({ alert: "OffsiteBackupOverdue", ...each }));

const seen: readonly Case[] = [
  {
    alert: "OffsiteBackupNeverSeen",
    title: "fires after two days without any snapshot, whatever scrapes have failed",
    series: { [never]: `${held(1, 30)} _x20 ${held(1, 30)}` },
    at: "50h",
    fires: [{ host: "q", outcome: "never" }],
  },
  {
    alert: "OffsiteBackupNeverSeen",
    title: "fires where nothing but the host's absence is known",
    series: {
      'offsite_host_seen{host="q"}': held(0, 60),
      'offsite_host_seen{host="minos"}': held(1, 60),
    },
    at: "49h",
    fires: q,
  },
  {
    alert: "OffsiteBackupNeverSeen",
    title: "is quiet in the first night of a new hub, and of a new host",
    series: {
      [never]: held(1, 60),
      'offsite_backup_outcome{host="old", outcome="never"}': `${held(1, 30)} ${held(0, 60)}`,
    },
    at: "47h",
    fires: [],
  },
  {
    alert: "OffsiteBackupNeverSeen",
    title: "is quiet about a host that was added yesterday, and ends with the first snapshot",
    series: {
      'offsite_backup_outcome{host="new", outcome="never"}': `${gap(100)} ${held(1, 60)}`,
      [never]: `${held(1, 119)} ${held(0, 24)}`,
    },
    at: "124h",
    fires: [],
  },
  {
    alert: "OffsiteBackupsLost",
    title: "fires soon after the hub has lost what a target has",
    series: { [lost]: `${held(0, 24)} ${held(1, 24)}` },
    at: "25h",
    fires: [{ host: "q", outcome: "lost" }],
  },
  {
    alert: "OffsiteBackupsLost",
    title: "is quiet about a host that never backed up",
    series: { [lost]: held(0, 24), [never]: held(1, 24) },
    at: "20h",
    fires: [],
  },
  {
    alert: "OffsiteRepositoryUnreadable",
    title: "fires when a repository cannot be read",
    series: { 'offsite_repository_readable{host="q"}': held(0, 24) },
    at: "2h",
    fires: q,
  },
  {
    alert: "OffsiteRepositoryUnreadable",
    title: "leaves to OffsiteBackupsLost what is gone, and is quiet about what can be read",
    series: {
      'offsite_repository_readable{host="q"}': held(0, 24),
      [lost]: held(1, 24),
      'offsite_repository_readable{host="minos"}': held(1, 24),
    },
    at: "2h",
    fires: [],
  },
  {
    alert: "OffsiteBackupUnfinished",
    title: "fires when nothing follows what was cut off",
    series: { [unfinished]: `${held(0, 10)} ${held(1, 24)}` },
    at: "14h",
    fires: [{ host: "q", outcome: "unfinished" }],
  },
  {
    alert: "OffsiteBackupUnfinished",
    title: "gives a host the time to begin anew",
    series: { [unfinished]: `${held(0, 10)} ${held(1, 2)} ${held(0, 24)}` },
    at: "13h",
    fires: [],
  },
  {
    alert: "OffsiteForeignFiles",
    title: "fires when files belong to somebody else",
    series: { 'offsite_repository_foreign_files{host="q"}': held(3, 24) },
    at: "2h",
    fires: q,
  },
  {
    alert: "OffsiteForeignFiles",
    title: "is quiet without any",
    series: { 'offsite_repository_foreign_files{host="q"}': held(0, 24) },
    at: "2h",
    fires: [],
  },
  {
    alert: "OffsiteSuspiciousSnapshots",
    title: "fires for a snapshot with a suspicious time",
    series: { 'offsite_prune_suspicious_snapshots{host="q"}': held(1, 24) },
    at: "2h",
    fires: q,
  },
  {
    alert: "OffsiteSuspiciousSnapshots",
    title: "is quiet without any",
    series: { 'offsite_prune_suspicious_snapshots{host="q"}': held(0, 24) },
    at: "2h",
    fires: [],
  },
  {
    alert: "OffsiteUnownedRepositories",
    title: "fires for a repository of nobody's",
    series: { offsite_unowned_repositories: held(1, 24) },
    at: "3h",
    fires: [{}],
  },
  {
    alert: "OffsiteUnownedRepositories",
    title: "is quiet without any, and while one is moved away",
    series: { offsite_unowned_repositories: `${held(0, 10)} ${held(1, 1)} ${held(0, 10)}` },
    at: "11h",
    fires: [],
  },
];

/** One prune each night at four, which takes ten minutes; the metrics follow it. */
const prunes = `${held(hour(-20), 4)} ${held(hour(4), 24)} ${held(hour(28), 24)} ${held(hour(52), 24)}`;

const shrank: readonly Case[] = [
  {
    title: "fires when more than half of the snapshots go and no prune removed them",
    series: { [snapshots]: `${held(17, 20)} ${held(3, 20)}` },
    at: "22h",
    fires: q,
  },
  {
    title: "fires when far more goes than the night's prune has removed",
    series: {
      [snapshots]: `${held(17, 36)} ${held(3, 20)}`,
      [pruned]: prunes,
      [removed]: held(1, 60),
    },
    at: "38h",
    fires: q,
  },
  {
    title: "is quiet about what an ordinary night's prune removes",
    series: {
      [snapshots]: `${held(41, 28)} ${held(17, 20)}`,
      [size]: `${held(1e11, 28)} ${held(4e10, 20)}`,
      [pruned]: prunes,
      [removed]: `${held(0, 28)} ${held(24, 20)}`,
    },
    at: "34h",
    fires: [],
  },
  {
    title: "is quiet about the first prune ever, which removes most, and the hours after it",
    series: {
      [snapshots]: `${held(300, 28)} ${held(17, 40)}`,
      [size]: `${held(1e11, 28)} ${held(2e10, 40)}`,
      [pruned]: `${gap(28)} ${held(hour(28), 40)}`,
      [removed]: `${gap(28)} ${held(283, 40)}`,
    },
    at: "36h",
    fires: [],
  },
  {
    title: "is quiet half a day after a prune, when its window is over",
    series: {
      [snapshots]: `${held(41, 28)} ${held(17, 40)}`,
      [size]: `${held(1e11, 28)} ${held(2e10, 40)}`,
      [pruned]: prunes,
      [removed]: `${held(0, 28)} ${held(24, 40)}`,
    },
    at: "42h",
    fires: [],
  },
  {
    title: "is quiet about a prune that has removed and not yet ended",
    series: {
      [size]: `${held(1e11, 28)} ${held(4e10, 20)}`,
      [snapshots]: held(17, 60),
      [pruned]: `${held(hour(4), 28.5)} ${held(hour(28), 24)}`,
    },
    at: "1750m",
    fires: [],
  },
  {
    title: "fires when packs go by day although all snapshots are there",
    series: {
      [snapshots]: held(17, 60),
      [size]: `${held(1e11, 44)} ${held(6e10, 20)}`,
      [pruned]: prunes,
      [removed]: held(1, 60),
    },
    at: "46h",
    fires: q,
  },
  {
    title: "fires when packs go in the hours after the night's prune",
    series: {
      [snapshots]: held(17, 60),
      [size]: `${held(1e11, 34)} ${held(6e10, 20)}`,
      [pruned]: prunes,
      [removed]: held(1, 60),
    },
    at: "2150m",
    fires: q,
  },
  {
    title: "fires at a hub that is watched since today, and for a third of the snapshots",
    series: {
      [size]: `${held(1e11, 2)} ${held(6e10, 20)}`,
      [pruned]: held(0, 22),
      'offsite_repository_snapshots{host="minos"}': `${held(20, 2)} ${held(13, 20)}`,
    },
    at: "4h",
    fires: [{ host: "q" }, { host: "minos" }],
  },
  {
    title: "fires for what the agent knows to be lost, once a host",
    series: {
      'offsite_lost_snapshots{host="q", target="cloud"}': held(5, 20),
      'offsite_lost_snapshots{host="q", target="peer"}': held(4, 20),
      'offsite_lost_snapshots{host="minos", target="peer"}': held(0, 20),
    },
    at: "2h",
    fires: q,
  },
  {
    title: "is quiet about a repository that grows, is new, or whose host left the config",
    series: {
      [snapshots]: "1+1x600",
      [size]: "1000+100000x600",
      'offsite_repository_snapshots{host="minos"}': held(20, 30),
    },
    at: "32h",
    fires: [],
  },
].map((each) => ({ alert: "OffsiteRepositoryShrank", ...each }));

export const BACKUPS: readonly Case[] = [...overdue, ...seen, ...shrank];
