/** The options that the commands share, and what they stand for. */
import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import type { HubCredentials, Manifest } from "../config/manifest.ts";
import { messageOf, UsageError } from "./errors.ts";
import { readCredentials, readManifest, readSettings } from "./input.ts";
import type { Patience } from "./locks.ts";
import type { Output } from "./output.ts";
import type { Retention, Settings } from "./settings.ts";
import { spillInto } from "./repository/name-spill.ts";
import { targetFromManifest } from "./targets/from-manifest.ts";
import type { Target } from "./targets/target.ts";

/** What commander makes of {@link withCommonOptions}. */
export interface CommonOptions {
  readonly manifest?: string;
  readonly credentials?: string;
  readonly rcloneConfig?: string;
  readonly settings?: string;
  readonly repositories?: string;
  readonly state?: string;
  readonly rclone: string;
  readonly restic: string;
  readonly wait: number;
  readonly json?: boolean;
}

/** Adds the options that every command has, below those of its own. */
export function withCommonOptions(command: Command): Command {
  return command
    .optionsGroup("Options of all commands:")
    .addOption(new Option("--manifest <file>", "the bundle's offsite.json").env("OFFSITE_MANIFEST"))
    .addOption(
      new Option("--credentials <file>", "the bundle's hub-credentials.json, unsealed").env(
        "OFFSITE_CREDENTIALS",
      ),
    )
    .addOption(
      new Option("--rclone-config <file>", "the bundle's rclone.conf, unsealed").env(
        "OFFSITE_RCLONE_CONFIG",
      ),
    )
    .addOption(
      new Option(
        "--settings <file>",
        "the hub's settings.json (default: none; everything in it has a default)",
      ).env("OFFSITE_SETTINGS"),
    )
    .option("--repositories <dir>", "the hub's repositories (default: the manifest's)")
    .addOption(
      new Option(
        "--state <dir>",
        "where the agent keeps its locks and notes (default: $STATE_DIRECTORY, else ~/.local/state/offsite-hub)",
      ).env("OFFSITE_STATE"),
    )
    .addOption(
      new Option("--rclone <program>", "the rclone program")
        .env("OFFSITE_RCLONE")
        .default("rclone"),
    )
    .addOption(
      new Option("--restic <program>", "the restic program")
        .env("OFFSITE_RESTIC")
        .default("restic"),
    )
    .option(
      "--wait <minutes>",
      "how long to wait for another offsite-hub that is at work on the same",
      minutes,
      60,
    )
    .option("--json", "write one report as JSON to standard output");
}

/** What the commands work with. Files are read when they are asked for. */
export class Inputs {
  readonly manifest: Manifest;
  readonly settings: Settings;
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** The folder for locks and for what the agent remembers. */
  readonly state: string;
  readonly rclone: string;
  readonly restic: string;
  readonly rcloneConfig: string | undefined;
  readonly patience: Patience;
  readonly #credentialsFile: string | undefined;
  #credentials: HubCredentials | undefined;

  /** @throws UsageError where a file is missing or wrong. */
  constructor(options: CommonOptions, output: Output) {
    this.manifest = readManifest(given(options.manifest, "--manifest", "OFFSITE_MANIFEST"));
    this.settings = readSettings(options.settings === "" ? undefined : options.settings);
    this.repositories = options.repositories ?? this.manifest.hub.repositories;
    this.state = options.state ?? defaultState();
    spillInto(this.state);
    this.rclone = options.rclone;
    this.restic = options.restic;
    this.rcloneConfig = options.rcloneConfig;
    this.patience = {
      seconds: options.wait * 60,
      onWait: (reason) => output.info(`waiting, for up to ${options.wait} min: ${reason}`),
    };
    this.#credentialsFile = options.credentials;
  }

  /**
   * The hub's credentials. A command that needs them asks before it begins.
   *
   * @throws UsageError where the file is missing or wrong.
   */
  credentials(): HubCredentials {
    return (this.#credentials ??= readCredentials(
      given(this.#credentialsFile, "--credentials", "OFFSITE_CREDENTIALS"),
    ));
  }

  /** The hub's credentials as they are on the disk by now. */
  readonly renewCredentials = (): HubCredentials => readCredentials(this.#credentialsFile ?? "");

  /**
   * For commands to which a host without a repository is nothing unusual: a folder that is not
   * mounted must not look like many of these.
   *
   * @throws UsageError where the hub's folder of repositories cannot be read.
   */
  requireRepositories(): void {
    try {
      readdirSync(this.repositories);
    } catch (error) {
      throw new UsageError(`cannot read the hub's repositories: ${messageOf(error)}`);
    }
  }

  /** A host's repository at the hub. */
  repositoryOf(host: string): string {
    return join(this.repositories, host);
  }

  /**
   * Makes a target. Close it.
   *
   * @throws UsageError where the bundle's files do not fit together.
   */
  target(name: string, uploadLimitKiB?: number): Target {
    return targetFromManifest(name, {
      manifest: this.manifest,
      credentials: this.credentials(),
      renew: this.renewCredentials,
      repositories: this.repositories,
      rcloneConfig: this.rcloneConfig,
      rclone: this.rclone,
      uploadLimitKiB,
      state: this.state,
    });
  }
}

function defaultState(): string {
  // systemd may give several folders, separated by colons.
  const [first] = (process.env.STATE_DIRECTORY ?? "").split(":");
  if (first !== undefined && first !== "") return first;
  const base = process.env.XDG_STATE_HOME ?? join(homedir(), ".local", "state");
  return join(base, "offsite-hub");
}

function given(value: string | undefined, option: string, variable: string): string {
  if (value !== undefined && value !== "") return value;
  throw new UsageError(`which file? Give ${option} or set ${variable}`);
}

/** The options that stand in for the settings' retention. */
export interface KeepOptions {
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
}

/** What the options say of the retention, else the settings. */
export function retentionOf(options: KeepOptions, { retention }: Settings): Retention {
  return {
    daily: options.keepDaily ?? retention.daily,
    weekly: options.keepWeekly ?? retention.weekly,
    monthly: options.keepMonthly ?? retention.monthly,
  };
}

/** For options that may be given again. */
export function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** A whole number. */
export function whole(value: string): number {
  if (/^\d{1,6}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("It must be a whole number.");
}

/** A number above 0. */
export function positive(value: string): number {
  const number = Number(value);
  if (Number.isFinite(number) && number > 0) return number;
  throw new InvalidArgumentError("It must be a number above 0.");
}

/** A number of days, whole or not. */
export function days(value: string): number {
  const number = Number(value);
  if (value.trim() !== "" && Number.isFinite(number) && number >= 0) return number;
  throw new InvalidArgumentError("It must be a number of days.");
}

function minutes(value: string): number {
  const number = Number(value);
  if (value.trim() !== "" && Number.isFinite(number) && number >= 0) return number;
  throw new InvalidArgumentError("It must be a number of minutes.");
}
