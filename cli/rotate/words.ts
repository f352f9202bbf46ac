/** What a rotation means for the people who run the machines: what to deploy, what a thief could do. */
import type { StackConfig, TargetConfig } from "../../config/stack.ts";
import { isRevocation, s3Rotation, type Turning } from "./plan.ts";

type Config = Pick<StackConfig, "hub" | "hosts" | "targets"> & Partial<Pick<StackConfig, "guests">>;

const sentence = (names: readonly string[]) =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;

/** Whether a host is the hub itself. */
function isHub({ hub }: Config, { at, name }: Turning): boolean {
  return at === "hosts" && name === hub.host;
}

/** The hosts whose files of the bundle change. */
function hostsOf({ hosts }: Config, turning: readonly Turning[]): string[] {
  return turning.some(({ at }) => at === "targets")
    ? Object.keys(hosts)
    : turning.filter(({ at }) => at === "hosts").map(({ name }) => name);
}

/** What is about to happen, a line each. */
export function announcement(config: Config, turning: readonly Turning[], file: string): string[] {
  const lines = turning.map((each) => {
    const { at, name, before, now, isPending } = each;
    const what =
      at === "hosts"
        ? `the credentials of ${name} at the hub and at ${sentence(Object.keys(config.targets))}`
        : at === "guests"
          ? `the credential of the guest ${name} at the hub`
          : `all credentials for the target ${name}`;
    const revoked = isRevocation(each) ? ", all before it revoked" : "";
    const how = `generation ${before.generation} to ${now.generation}${revoked}`;
    const where = isPending ? `already in ${file}, from a rotation that did not end` : `in ${file}`;
    return `${what}: ${how} (${where})`;
  });
  return [...lines, ...leftOut(config, turning)];
}

/** Whose keys stay as they are, where one could think that all turn over. */
function leftOut(config: Config, turning: readonly Turning[]): string[] {
  const isMore = turning.some((each) => each.at === "targets" || isHub(config, each));
  return Object.entries(config.targets).flatMap(([name, { type }]) =>
    isMore && type === "s3" ? [`NOT turned over: ${s3Rotation(name)}`] : [],
  );
}

/** What is to be deployed after an update, and by when. */
export function deployments(config: Config, turning: readonly Turning[]): string[] {
  const { host: hub } = config.hub;
  const hosts = hostsOf(config, turning).filter((name) => name !== hub);
  const revoked = turning.filter(isRevocation);
  if (revoked.length === 0) {
    const machines = [hub, ...hosts];
    return [
      `Deploy ${sentence(machines)} with the new bundle, in any order, before the next rotation. No backup fails meanwhile.`,
      ...guestFiles(turning),
    ];
  }
  const isHost = revoked.some(({ at }) => at !== "targets");
  const atHub = isHost
    ? `Deploy ${hub} NOW: until then the hub goes on accepting what was revoked`
    : `Deploy ${hub} before its next mirror: what it holds was refused from this moment on`;
  const others =
    hosts.length === 0
      ? []
      : isHost
        ? [
            `Deploy ${sentence(hosts)} before the next backup: what is there is refused as soon as the hub is deployed.`,
          ]
        : [
            `Deploy ${sentence(hosts)} when it suits you: backups to the hub go on; restoring from ${sentence(revoked.map(({ name }) => name))} needs the new file.`,
          ];
  return [`${atHub}.`, ...others, ...guestFiles(turning)];
}

/** What the guests' owners must be given, whom nobody here can deploy. */
function guestFiles(turning: readonly Turning[]): string[] {
  return turning
    .filter(({ at }) => at === "guests")
    .map((each) => {
      const file = `Give the owner of ${each.name} the new guests/${each.name}.env of the bundle`;
      return isRevocation(each)
        ? `${file}: what that machine has is refused as soon as the hub is deployed.`
        : `${file}, before the next rotation: what that machine has works until then.`;
    });
}

/** What a thief could have done until now with what is revoked, and what remains to be done. */
export function exposure(config: Config, turning: readonly Turning[], now: Date): string[] {
  const revoked = turning.filter(isRevocation);
  return revoked.flatMap((each) => {
    const target = each.at === "targets" ? config.targets[each.name] : undefined;
    if (target !== undefined) return exposureOfTarget(each.name, target, now);
    if (each.at === "guests") return exposureOfGuest(config, each.name);
    return [
      ...exposureOfHost(config, each.name),
      ...(isHub(config, each) ? exposureOfHub(config) : []),
    ];
  });
}

function exposureOfHost({ hub, targets }: Config, host: string): string[] {
  return [
    `With the credentials of ${host} a thief could until now:`,
    `  read ${host}'s snapshots at ${hub.url} and at ${sentence(Object.keys(targets))}. They are encrypted; whoever was on ${host} has restic's password as well, so take what they hold for read, and change the secrets in them`,
    `  add snapshots and files to ${host}'s repository, and fill the space up: look at \`offsite-hub list ${host}\` before the next prune`,
    `  NOT change or delete a snapshot of before (append-only), and NOT see another host's repository (private)`,
    `restic's own password of ${host} is not changed by this: restic key add, then restic key remove, at the hub.`,
  ];
}

function exposureOfGuest({ hub, guests = {} }: Config, guest: string): string[] {
  const limit = guests[guest]?.maxSizeGiB;
  return [
    `With the credential of ${guest} a thief could until now:`,
    `  read ${guest}'s snapshots at ${hub.host}. They are encrypted; tell the owner, who alone knows restic's password`,
    `  add files, and fill its ${limit ?? "own"} GiB up`,
    `  NOT change or delete anything of before (append-only), and NOT see what belongs to hosts and other guests`,
  ];
}

function exposureOfHub({ hub, hosts, targets }: Config): string[] {
  return [
    `${hub.host} is the hub. If the thief was on it, he has more than that host's credentials:`,
    `  he could read the encrypted repositories of ${sentence(Object.keys(hosts))}, with the passwords for prune and drill their content, and destroy the hub's copies`,
    `  at ${sentence(Object.keys(targets))} he could add files; at a cloud target hide them; and delete nothing`,
    `  revoke all of it with: offsite rotate --all --revoke`,
  ];
}

const DAY = 86_400_000;

function exposureOfTarget(name: string, target: TargetConfig, now: Date): string[] {
  switch (target.type) {
    case "b2": {
      const until = new Date(now.getTime() + target.keepHiddenDays * DAY);
      return [
        `With the keys of ${name} a thief could until now:`,
        `  read every host's files in ${target.bucket}; they are encrypted, names, sizes and times are not`,
        `  upload files, at your cost, and hide or overwrite yours. What he hid today comes back until ${until.toISOString().slice(0, 10)} (keepHiddenDays: ${target.keepHiddenDays}): look with \`offsite-hub verify ${name}\`, rehearse with \`offsite-hub drill --thief\``,
        `  NOT delete anything, and NOT change the bucket or its lifecycle`,
        `  Backblaze may go on accepting, for up to 24 hours, what he was let in with before the keys were deleted.`,
      ];
    }
    case "r2":
      return [
        `With the keys of ${name} a thief could until now:`,
        `  read every host's files in ${target.bucket}; they are encrypted, names, sizes and times are not`,
        `  upload files, at your cost`,
        target.keepHiddenDays === "forever"
          ? `  NOT change or delete anything (a lock rule without an end)`
          : `  delete or overwrite for good what was uploaded more than ${target.keepHiddenDays} days ago (keepHiddenDays), and nothing younger`,
      ];
    case "s3":
      return [
        `With the keys of ${name} a thief could until now:`,
        `  do what those keys may do in ${target.bucket}: \`offsite verify ${name}\` tells`,
        `  they are of somebody else's making: take them away there`,
      ];
    case "sftp":
      return [
        `With the hub's key for ${name} a thief could until now:`,
        `  read every host's files there; they are encrypted, names, sizes and times are not`,
        `  add files, and fill the ${target.maxSizeGiB} GiB up`,
        `  change and delete what came in the last minutes, for SFTP knows no append-only; NOT what is sealed there, every 5 minutes`,
      ];
    case "rest-server":
      return [
        `With the hub's credentials for ${name} a thief could until now:`,
        `  read every host's files there; they are encrypted, names, sizes and times are not`,
        `  add files, and fill the ${target.maxSizeGiB} GiB up`,
        `  NOT change or delete anything (append-only)`,
      ];
  }
}
