import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Standing } from "../config/generations.ts";
import type { HubCredentials, TargetManifest } from "../config/manifest.ts";
import type { TargetRecord } from "../config/record.ts";
import type { RestServerTargetConfig } from "../config/stack.ts";
import type { DigestMemory } from "../config/targets/digests.ts";
import { serverUrl } from "../config/targets/tunnel.ts";
import { deriveTrio, jointStanding, type PasswordOwner } from "../credentials/derive.ts";
import type { EnvLine } from "../credentials/env-file.ts";
import type { RcloneRemote } from "../credentials/rclone-conf.ts";
import { asRoot, peerScript, publicFiles, releaseHashes, type PeerServer } from "../peer/script.ts";
import { peerServer } from "../peer/server.ts";
import type { CaddyService } from "../peer/services/caddy.ts";
import { certificateIn } from "../peer/tls/server.ts";
import type { newDnsRecord } from "./dns-record.ts";
import { plainError } from "./errors.ts";
import { pinImages } from "./image-digest.ts";
import {
  forEachHost,
  hostOf,
  publicInputs,
  withSlash,
  type OffsiteTarget,
  type TargetContext,
  type TargetFile,
} from "./target.ts";
import { tunnelFiles } from "./tunnel-files.ts";

/** The settings of a {@link RestServerTarget}. */
export interface RestServerTargetArgs extends TargetContext {
  readonly target: RestServerTargetConfig;
  /** The digests that were looked up for its images. */
  readonly digests?: DigestMemory;
  /** Makes the record of its public name; needed where the settings ask for one. */
  readonly newDnsRecord?: typeof newDnsRecord;
}

/** What the settings of a target need before it can be made. */
export async function prepareRestServer(
  name: string,
  { target, before }: Pick<RestServerTargetArgs, "target" | "before">,
): Promise<Pick<RestServerTargetArgs, "target" | "digests" | "newDnsRecord">> {
  const pinned = await pinImages(name, target, before?.kept[name]);
  if (target.dns === undefined) return pinned;
  // Cloudflare's SDK is large: only a stack that has such a record waits for it.
  const { newDnsRecord } = await import("./dns-record.ts");
  return { ...pinned, newDnsRecord };
}

/**
 * An append-only rest-server with a private repository per host, under docker compose on a peer's
 * machine, put there over SSH. Destroying it stops the server and leaves the data where it is.
 */
export class RestServerTarget extends pulumi.ComponentResource implements OffsiteTarget {
  readonly targetName: string;
  readonly manifest: TargetManifest | pulumi.Output<TargetManifest>;
  readonly hubCredentials: pulumi.Output<HubCredentials["targets"][string]>;
  readonly rcloneRemotes: pulumi.Output<RcloneRemote[]>;
  readonly record: pulumi.Output<TargetRecord>;
  readonly bundleFiles: readonly TargetFile[];
  readonly #args: RestServerTargetArgs;
  readonly #repositories: Readonly<Record<string, string>>;
  /** In PEM: who vouches for the server, where that is nobody whom all the world trusts. */
  readonly #certificate: pulumi.Output<string> | undefined;

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
    const inputs = publicInputs(manifest, publicFiles(server));
    super("fort-offsite:index:RestServerTarget", name, inputs, opts);
    this.targetName = name;
    this.#args = args;
    this.#repositories = manifest.repositories;

    const { stdout } = this.#install(server);
    const certificate = this.#certificateOf(server.tls, stdout);
    this.#certificate = certificate;
    this.manifest =
      certificate?.apply((pem): TargetManifest => ({ ...manifest, certificate: pem })) ?? manifest;
    // Known when the installation has ended well, and not before.
    this.record = pulumi.all([stdout, certificate]).apply(([, pem]): TargetRecord => ({
      type: "rest-server",
      ...releaseHashes(server),
      ...(args.digests !== undefined && { digests: args.digests }),
      ...(server.tls?.kind === "self-signed" &&
        pem !== undefined && { authority: { id: server.tls.authority, certificate: pem } }),
    }));

    this.hubCredentials = pulumi.secret({
      type: "rest-server" as const,
      users: forEachHost(args.hosts, (host) =>
        deriveTrio(args.seed, this.#owner(host), this.#standing(host)),
      ),
    });
    this.rcloneRemotes = pulumi.output([]);
    this.bundleFiles = tunnelFiles(name, target, args.seed);
    this.registerOutputs({ url });
  }

  restoreEnvironment(host: string): pulumi.Output<EnvLine[]> {
    const { current, next, previous } = deriveTrio(
      this.#args.seed,
      this.#owner(host),
      this.#standing(host),
    );
    const prefix = `OFFSITE_${this.targetName.toUpperCase()}`;
    const lines: EnvLine[] = [
      {
        comment: `Restore from ${this.targetName}: RESTIC_REST_PASSWORD=$${prefix}_PASSWORD restic -r $${prefix}_REPOSITORY restore …`,
      },
      [`${prefix}_REPOSITORY`, this.#repositories[host] ?? ""],
      [`${prefix}_PASSWORD`, current],
      [`${prefix}_PASSWORD_NEXT`, next],
      [`${prefix}_PASSWORD_PREVIOUS`, previous ?? ""],
    ];
    if (this.#certificate === undefined) return pulumi.secret(lines);
    return pulumi.secret(
      this.#certificate.apply((pem): EnvLine[] => [
        ...lines,
        {
          comment: `Who vouches for ${this.targetName}, first of all: printf %s $${prefix}_CERTIFICATE | base64 -d >${this.targetName}.pem; export RESTIC_CACERT=$PWD/${this.targetName}.pem`,
        },
        [`${prefix}_CERTIFICATE`, Buffer.from(pem).toString("base64")],
      ]),
    );
  }

  /**
   * Who vouches for the server: an ACME server's own authority, or the one that the peer has made.
   * A preview takes the latter from the last update, whatever else changes at the peer.
   */
  #certificateOf(
    tls: CaddyService | undefined,
    stdout: pulumi.Output<string>,
  ): pulumi.Output<string> | undefined {
    if (tls?.kind !== "self-signed") {
      return tls?.acmeRoot === undefined ? undefined : pulumi.output(tls.acmeRoot);
    }
    const kept = this.#args.before?.kept[this.targetName];
    const last = kept?.type === "rest-server" ? kept.authority : undefined;
    const known = last?.id === tls.authority ? last.certificate : undefined;
    if (known !== undefined && pulumi.runtime.isDryRun()) return pulumi.output(known);
    return stdout.apply((text) => {
      const said = certificateIn(text) ?? known;
      if (said !== undefined) return said;
      throw plainError(`${this.targetName}: the peer did not say which authority it has made`);
    });
  }

  #install(server: PeerServer): command.remote.Command {
    const { target, sshPrivateKey } = this.#args;
    const repair = this.#repair();
    const dns = this.#args.newDnsRecord?.(this.targetName, target, { parent: this });
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
        // The ACME server asks where the name leads.
        dependsOn: dns === undefined ? [] : [dns],
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
    const secrets = args.targetSecrets?.[name];
    return peerServer({ stack, name, target, hosts, seed, hashes, secrets });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw plainError(error.message);
  }
}
