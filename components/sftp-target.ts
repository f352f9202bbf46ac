import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { HubCredentials, TargetManifest } from "../config/manifest.ts";
import type { TargetRecord } from "../config/record.ts";
import type { SftpTargetConfig } from "../config/stack.ts";
import type { EnvLine } from "../credentials/env-file.ts";
import type { RcloneRemote } from "../credentials/rclone-conf.ts";
import { deriveSshKeys, hostKeyStanding } from "../credentials/ssh-key.ts";
import { restoreLines, sftpRemote } from "../credentials/sftp-remotes.ts";
import { asRoot } from "../peer/script.ts";
import {
  HOST_PATH,
  HUB_PATH,
  SEAL_MINUTES,
  sftpAddress,
  sftpPlace,
  sftpUser,
  type SftpPlace,
} from "../peer/sftp/place.ts";
import { sftpScript, sshdSettings } from "../peer/sftp/script.ts";
import {
  forEachHost,
  hostOf,
  publicInputs,
  type OffsiteTarget,
  type TargetContext,
} from "./target.ts";

/** The settings of an {@link SftpTarget}. */
export interface SftpTargetArgs extends TargetContext {
  readonly target: SftpTargetConfig;
}

/**
 * A directory on a peer's machine that hub and hosts reach through its SSH server, each as a system
 * user of its own that is let into nothing else. What arrives is sealed there every few minutes.
 * Destroying it takes the users away and leaves the data where it is.
 */
export class SftpTarget extends pulumi.ComponentResource implements OffsiteTarget {
  readonly targetName: string;
  readonly manifest: TargetManifest;
  readonly hubCredentials: pulumi.Output<HubCredentials["targets"][string]>;
  readonly rcloneRemotes: pulumi.Output<RcloneRemote[]>;
  readonly record: pulumi.Output<TargetRecord>;
  readonly #args: SftpTargetArgs;
  readonly #place: SftpPlace;

  constructor(name: string, args: SftpTargetArgs, opts?: pulumi.ComponentResourceOptions) {
    const { target } = args;
    const manifest: TargetManifest = {
      type: "sftp",
      remote: name,
      path: HUB_PATH,
      hostKey: target.ssh.hostKey,
      ...sftpAddress(target),
      maxSizeGiB: target.maxSizeGiB,
      repositories: forEachHost(args.hosts, () => `rclone:${name}:${HOST_PATH}`),
    };
    const place = sftpPlace({ ...args, name });
    const files = { "sshd_config.d": sshdSettings(place) };
    super("fort-offsite:index:SftpTarget", name, publicInputs(manifest, files), opts);
    this.targetName = name;
    this.manifest = manifest;
    this.#args = args;
    this.#place = place;
    void pulumi.log.info(
      `${name}: SFTP knows no append-only. What arrives is sealed at ${target.ssh.host} every ${SEAL_MINUTES} minutes; whoever has the hub's key can destroy what came since, and nothing older`,
      this,
    );

    const { stdout } = this.#install();
    // Known when the installation has ended well, and not before.
    this.record = stdout.apply((): TargetRecord => ({ type: "sftp" }));

    const previous = this.#hubKeys().previous !== undefined;
    this.hubCredentials = pulumi.secret({
      type: "sftp" as const,
      generation: target.generation,
      remotes: {
        current: name,
        next: `${name}-next`,
        ...(previous && { previous: `${name}-previous` }),
        restore: name,
      },
    });
    this.rcloneRemotes = pulumi.secret(this.#remotes());
    this.registerOutputs({ dataDir: target.dataDir });
  }

  restoreEnvironment(host: string): pulumi.Output<EnvLine[]> {
    const { seed, target, hosts } = this.#args;
    const owner = { target: this.targetName, host };
    const keys = deriveSshKeys(seed, owner, hostKeyStanding(hostOf(hosts, host), target));
    const connection = this.#connection(sftpUser(this.#place.project, host));
    return pulumi.secret(restoreLines(this.targetName, connection, keys, HOST_PATH));
  }

  #hubKeys() {
    const { seed, target } = this.#args;
    return deriveSshKeys(seed, { target: this.targetName }, target);
  }

  #remotes(): RcloneRemote[] {
    const connection = this.#connection(sftpUser(this.#place.project));
    const { current, next, previous } = this.#hubKeys();
    const name = this.targetName;
    return [
      sftpRemote(name, connection, current),
      sftpRemote(`${name}-next`, connection, next),
      ...(previous === undefined ? [] : [sftpRemote(`${name}-previous`, connection, previous)]),
    ];
  }

  #connection(user: string) {
    const { target } = this.#args;
    return { ...sftpAddress(target), user, hostKey: target.ssh.hostKey };
  }

  #install(): command.remote.Command {
    const { target, sshPrivateKey } = this.#args;
    const repair = this.#repair();
    return new command.remote.Command(
      `${this.targetName}-directory`,
      {
        connection: {
          host: target.ssh.host,
          port: target.ssh.port,
          user: target.ssh.user,
          hostKey: target.ssh.hostKey,
          ...(sshPrivateKey !== undefined && { privateKey: pulumi.secret(sshPrivateKey) }),
        },
        create: asRoot("install"),
        update: asRoot(repair === undefined ? "install" : `install ${repair}`),
        delete: asRoot("remove"),
        // It holds no secret, and names all that is let in: a preview shows what changes.
        stdin: pulumi.secret(sftpScript(this.#place)),
        // Another directory is another place; its users have the same names.
        triggers: [target.dataDir],
        addPreviousOutputInEnv: false,
      },
      {
        parent: this,
        deleteBeforeReplace: true,
        protect: target.protect,
        // As with a rest-server: a repair has a name of its own (docs/adr/0012-drift.md).
        ...(repair === undefined && { ignoreChanges: ["update"] }),
      },
    );
  }

  /** Says what the look found, and names the repair where one is needed. */
  #repair(): string | undefined {
    const name = this.targetName;
    const look = this.#args.looks?.get(name);
    if (look === undefined) return undefined;
    if (!look.reached) {
      void pulumi.log.warn(`${name}: not looked at: ${look.reason}`, this);
      return undefined;
    }
    for (const finding of look.manual) void pulumi.log.warn(`${name}: ${finding}`, this);
    for (const finding of look.drift) {
      void pulumi.log.warn(`${name}: ${finding}; pulumi up puts it right`, this);
    }
    for (const notice of look.notices) void pulumi.log.info(`${name}: ${notice}`, this);
    if (look.drift.length === 0) return undefined;
    return `repair-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  }
}
