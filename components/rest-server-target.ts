import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Standing } from "../config/generations.ts";
import type { HubCredentials, TargetManifest } from "../config/manifest.ts";
import type { TargetRecord } from "../config/record.ts";
import type { RestServerTargetConfig } from "../config/stack.ts";
import { serverUrl } from "../config/targets/tunnel.ts";
import { deriveTrio, jointStanding, type PasswordOwner } from "../credentials/derive.ts";
import type { EnvLine } from "../credentials/env-file.ts";
import type { RcloneRemote } from "../credentials/rclone-conf.ts";
import { asRoot, composeText, peerScript, releaseHashes, type PeerServer } from "../peer/script.ts";
import { peerServer } from "../peer/server.ts";
import { plainError } from "./errors.ts";
import {
  forEachHost,
  hostOf,
  publicInputs,
  withSlash,
  type OffsiteTarget,
  type TargetContext,
} from "./target.ts";

/** The settings of a {@link RestServerTarget}. */
export interface RestServerTargetArgs extends TargetContext {
  readonly target: RestServerTargetConfig;
}

/**
 * An append-only rest-server with a private repository per host, under docker compose on a peer's
 * machine, put there over SSH. Destroying it stops the server and leaves the data where it is.
 */
export class RestServerTarget extends pulumi.ComponentResource implements OffsiteTarget {
  readonly targetName: string;
  readonly manifest: TargetManifest;
  readonly hubCredentials: pulumi.Output<HubCredentials["targets"][string]>;
  readonly rcloneRemotes: pulumi.Output<RcloneRemote[]>;
  readonly record: pulumi.Output<TargetRecord>;
  readonly #args: RestServerTargetArgs;

  constructor(name: string, args: RestServerTargetArgs, opts?: pulumi.ComponentResourceOptions) {
    const { target } = args;
    const url = withSlash(serverUrl(target));
    const manifest: TargetManifest = {
      type: "rest-server",
      url,
      maxSizeGiB: target.maxSizeGiB,
      repositories: forEachHost(args.hosts, (host) => `rest:${url}${host}/`),
    };
    const server = serverOf(name, args);
    const files = { "compose.yaml": composeText(server) };
    super("fort-offsite:index:RestServerTarget", name, publicInputs(manifest, files), opts);
    this.targetName = name;
    this.manifest = manifest;
    this.#args = args;
    if (!target.image.includes("sha256:")) {
      void pulumi.log.warn(`The image ${target.image} is not pinned by its digest`, this);
    }

    const { stdout } = this.#install(server);
    // Known when the installation has ended well, and not before.
    this.record = stdout.apply((): TargetRecord => ({
      type: "rest-server",
      ...releaseHashes(server),
    }));

    this.hubCredentials = pulumi.secret({
      type: "rest-server" as const,
      users: forEachHost(args.hosts, (host) =>
        deriveTrio(args.seed, this.#owner(host), this.#standing(host)),
      ),
    });
    this.rcloneRemotes = pulumi.output([]);
    this.registerOutputs({ url });
  }

  restoreEnvironment(host: string): pulumi.Output<EnvLine[]> {
    const { current, next, previous } = deriveTrio(
      this.#args.seed,
      this.#owner(host),
      this.#standing(host),
    );
    const prefix = `OFFSITE_${this.targetName.toUpperCase()}`;
    return pulumi.secret<EnvLine[]>([
      {
        comment: `Restore from ${this.targetName}: RESTIC_REST_PASSWORD=$${prefix}_PASSWORD restic -r $${prefix}_REPOSITORY restore …`,
      },
      [`${prefix}_REPOSITORY`, this.manifest.repositories[host] ?? ""],
      [`${prefix}_PASSWORD`, current],
      [`${prefix}_PASSWORD_NEXT`, next],
      [`${prefix}_PASSWORD_PREVIOUS`, previous ?? ""],
    ]);
  }

  #install(server: PeerServer): command.remote.Command {
    const { target, sshPrivateKey } = this.#args;
    const repair = this.#repair();
    return new command.remote.Command(
      `${this.targetName}-server`,
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
        stdin: pulumi.secret(peerScript(server)),
        // Another directory is another server, and the old one has to be gone from the address
        // before the new one can take it. Another address of the peer is no other server.
        triggers: [target.dataDir],
        addPreviousOutputInEnv: false,
      },
      {
        parent: this,
        deleteBeforeReplace: true,
        protect: target.protect,
        // A repair has a name of its own, with which it is a change. The name stays in the state
        // afterwards: a repair that is made is not made again (docs/adr/0012-drift.md).
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
      const way = finding.includes("pulumi up") ? "" : "; pulumi up puts it right";
      void pulumi.log.warn(`${name}: ${finding}${way}`, this);
    }
    for (const notice of look.notices) void pulumi.log.info(`${name}: ${notice}`, this);
    if (look.drift.length === 0) return undefined;
    return `repair-${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, "")}`;
  }

  #owner(host: string): PasswordOwner {
    return { at: "target", target: this.targetName, host };
  }

  #standing(host: string): Standing {
    return jointStanding(hostOf(this.#args.hosts, host), this.#args.target);
  }
}

function serverOf(name: string, args: RestServerTargetArgs): PeerServer {
  const { stack, target, hosts, seed, hashes } = args;
  try {
    return peerServer({ stack, name, target, hosts, seed, hashes });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw plainError(error.message);
  }
}
