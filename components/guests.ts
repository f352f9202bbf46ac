/** What the bundle has for the hub's guests: their users for the hub, and a file for each of them. */
import type { GuestManifest } from "../config/manifest.ts";
import { guestBase, type GuestConfig } from "../config/guests.ts";
import type { HubConfig, SealConfig } from "../config/stack.ts";
import { derivePassword, type PasswordOwner } from "../credentials/derive.ts";
import { envFile, type EnvLine } from "../credentials/env-file.ts";
import { guestUser, htpasswdFile, type HashMemory } from "../credentials/htpasswd.ts";
import { sealedPath, type BundleFile } from "./sealed-file.ts";

/** What the guests' files are made of. */
export interface GuestsArgs {
  readonly stack: string;
  readonly hub: HubConfig;
  readonly guests?: Readonly<Record<string, GuestConfig>>;
  readonly seal: SealConfig;
  /** The seed of all derived credentials, 32 bytes in hex. Secret. */
  readonly seed: string;
  readonly hashes: HashMemory;
}

/** A file whose content follows from the settings alone. */
export interface GuestFile extends BundleFile {
  readonly content: string;
}

/**
 * The files of all guests.
 *
 * @param hubKey - the public key of the hub, which serves them.
 */
export function guestFiles(args: GuestsArgs, hubKey: string): GuestFile[] {
  return Object.entries(args.guests ?? {}).flatMap(([name, guest]) => [
    { path: `guests/${name}.htpasswd`, content: usersOf(args, name, guest), readers: [hubKey] },
    environmentOf(args, name, guest),
  ]);
}

/** What the manifest says of the guests; nothing where there are none. */
export function guestManifests(args: GuestsArgs): Record<string, GuestManifest> | undefined {
  const all = Object.entries(args.guests ?? {});
  if (all.length === 0) return undefined;
  return Object.fromEntries(
    all.map(([name, guest]) => [
      name,
      {
        maxSizeGiB: guest.maxSizeGiB,
        repository: repositoryOf(args, name, guest),
        environment: sealedPath(args.seal, environmentOf(args, name, guest)),
      },
    ]),
  );
}

function repositoryOf({ hub }: GuestsArgs, name: string, guest: GuestConfig): string {
  return `rest:${guestBase(hub, guest)}${name}/`;
}

/**
 * The users that the guest's server accepts. A person may be slow to take a new file: the one before
 * is good until the next rotation, and the next one before the hub is deployed. What is revoked is
 * neither.
 */
function usersOf(
  { seed, hashes }: GuestsArgs,
  guest: string,
  { generation, revoked }: GuestConfig,
): string {
  const owner: PasswordOwner = { at: "guest", guest };
  const generations = [generation - 1, generation, generation + 1].filter((each) => each > revoked);
  const users = generations.map((each) => ({ owner, generation: each }));
  return htpasswdFile(seed, users, hashes);
}

/** The guest's own file. Guests have age and not necessarily anything of the cluster's. */
function environmentOf(args: GuestsArgs, name: string, guest: GuestConfig): GuestFile {
  const { generation, key, maxSizeGiB } = guest;
  const comments = [
    `Backups of ${name} at ${args.hub.host}, for restic as it is. Keep this file to yourself.`,
    `Load it:  set -a; . ./${name}.env; set +a`,
    "Once:     restic init      (choose a password: it is yours alone, nobody at the hub has it,",
    "                            and without it nobody can read the backups. Keep it on paper too.)",
    "Daily:    restic backup ~",
    "Back:     restic restore latest --target /tmp/back",
    `The server holds up to ${maxSizeGiB} GiB and deletes nothing: restic forget and prune are refused.`,
    "When you get a newer file, use it from then on. This one goes on working until the one after it.",
  ];
  const lines: EnvLine[] = [
    ...comments.map((comment) => ({ comment })),
    ["RESTIC_REPOSITORY", repositoryOf(args, name, guest)],
    ["RESTIC_REST_USERNAME", guestUser(name, generation)],
    ["RESTIC_REST_PASSWORD", derivePassword(args.seed, { at: "guest", guest: name }, generation)],
  ];
  return { path: `guests/${name}.env`, content: envFile(lines), readers: [key], format: "age" };
}
