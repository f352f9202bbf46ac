import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Standing } from "../config/generations.ts";
import type { HubCredentials, TargetManifest } from "../config/manifest.ts";
import type { TargetRecord } from "../config/record.ts";
import { parseListen, type ListenAddress } from "../config/rules.ts";
import type { RestServerTargetConfig } from "../config/stack.ts";
import { deriveTrio, jointStanding, type PasswordOwner } from "../credentials/derive.ts";
import type { EnvLine } from "../credentials/env-file.ts";
import { htpasswdFile } from "../credentials/htpasswd.ts";
import type { RcloneRemote } from "../credentials/rclone-conf.ts";
import { peerScript, releaseHashes, type PeerServer } from "../peer/script.ts";
import {
  forEachHost,
  hostOf,
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
  readonly #url: string;

  constructor(name: string, args: RestServerTargetArgs, opts?: pulumi.ComponentResourceOptions) {
    super("fort-offsite:index:RestServerTarget", name, {}, opts);
    const { target } = args;
    const listen = parseListen(target.listen);
    if (listen === undefined) {
      throw new pulumi.ResourceError(`"${target.listen}" is no address and port`, this);
    }
    this.targetName = name;
    this.#args = args;
    this.#url = withSlash(target.url ?? `http://${target.listen}`);
    if (!target.image.includes("sha256:")) {
      void pulumi.log.warn(`The image ${target.image} is not pinned by its digest`, this);
    }

    this.record = this.#install(name, listen);

    this.manifest = {
      type: "rest-server",
      url: this.#url,
      maxSizeGiB: target.maxSizeGiB,
      repositories: forEachHost(args.hosts, (host) => this.#repository(host)),
    };
    this.hubCredentials = pulumi.secret({
      type: "rest-server" as const,
      users: forEachHost(args.hosts, (host) =>
        deriveTrio(args.seed, this.#owner(host), this.#standing(host)),
      ),
    });
    this.rcloneRemotes = pulumi.output([]);
    this.registerOutputs({ url: this.#url });
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
      [`${prefix}_REPOSITORY`, this.#repository(host)],
      [`${prefix}_PASSWORD`, current],
      [`${prefix}_PASSWORD_NEXT`, next],
      [`${prefix}_PASSWORD_PREVIOUS`, previous ?? ""],
    ]);
  }

  #install(name: string, listen: ListenAddress): pulumi.Output<TargetRecord> {
    const { target, seed, hosts, stack, sshPrivateKey } = this.#args;
    const server: PeerServer = {
      project: `fort-offsite-${stack}-${name}`.toLowerCase().replaceAll(/[^a-z0-9_-]/g, "-"),
      dataDir: target.dataDir,
      image: target.image,
      listen,
      maxSizeGiB: target.maxSizeGiB,
      htpasswd: htpasswdFile(
        seed,
        Object.keys(hosts).map((host) => ({
          owner: this.#owner(host),
          generation: this.#standing(host).generation,
        })),
      ),
    };
    const shell = target.ssh.user === "root" ? "sh -s" : "sudo -n sh -s";
    const installed = new command.remote.Command(
      `${name}-server`,
      {
        connection: {
          host: target.ssh.host,
          port: target.ssh.port,
          user: target.ssh.user,
          hostKey: target.ssh.hostKey,
          ...(sshPrivateKey !== undefined && { privateKey: pulumi.secret(sshPrivateKey) }),
        },
        create: `${shell} install`,
        update: `${shell} install`,
        delete: `${shell} remove`,
        stdin: pulumi.secret(peerScript(server)),
        // Another directory is another server, and the old one has to be gone from the address
        // before the new one can take it. Another address of the peer is no other server.
        triggers: [target.dataDir],
        addPreviousOutputInEnv: false,
      },
      { parent: this, deleteBeforeReplace: true },
    );
    return installed.stdout.apply((): TargetRecord => ({
      type: "rest-server",
      ...releaseHashes(server),
    }));
  }

  #repository(host: string): string {
    return `rest:${this.#url}${host}/`;
  }

  #owner(host: string): PasswordOwner {
    return { at: "target", target: this.targetName, host };
  }

  #standing(host: string): Standing {
    return jointStanding(hostOf(this.#args.hosts, host), this.#args.target);
  }
}
