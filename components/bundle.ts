import * as pulumi from "@pulumi/pulumi";
import { MANIFEST_VERSION, type HubCredentials, type Manifest } from "../config/manifest.ts";
import type { GuestConfig, HubConfig, SealConfig } from "../config/stack.ts";
import { deriveTrio } from "../credentials/derive.ts";
import { envFile, type EnvLine } from "../credentials/env-file.ts";
import { htpasswdFile } from "../credentials/htpasswd.ts";
import { rcloneConf } from "../credentials/rclone-conf.ts";
import { agenixRules, sopsRules } from "../credentials/recipients.ts";
import { filesChangedByHand } from "./bundle-drift.ts";
import { guestFiles, guestManifests } from "./guests.ts";
import {
  bundleDirectory,
  formatOf,
  newSealedFile,
  recipientsOf,
  sealedPath,
  type BundleFile,
} from "./sealed-file.ts";
import { hostOf, withSlash, type OffsiteTarget, type TargetContext } from "./target.ts";

/** The settings of a {@link Bundle}. */
export interface BundleArgs extends TargetContext {
  readonly hub: HubConfig;
  readonly guests?: Readonly<Record<string, GuestConfig>>;
  readonly seal: SealConfig;
  readonly targets: readonly OffsiteTarget[];
  /** Whether to look for files that were changed by hand. */
  readonly lookForDrift: boolean;
}

/** The files that the hub and the hosts consume, each sealed for the machine that reads it. */
export class Bundle extends pulumi.ComponentResource {
  /** Where the files are. */
  readonly directory: string;
  /** The files' paths, relative to the bundle's directory. */
  readonly files: readonly string[];
  /** SHA-256 of the files as they were written, by path. */
  readonly checksums: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: BundleArgs, opts?: pulumi.ComponentResourceOptions) {
    super("fort-offsite:index:Bundle", name, { hosts: Object.keys(args.hosts) }, opts);
    const { seal } = args;
    const files = [
      manifestFile(args),
      ...hubFiles(args),
      ...args.targets.flatMap((target) => targetFiles(args, target)),
      ...Object.keys(args.hosts).map((host) => hostFile(args, host)),
      ...guestFiles(args, hubKey(args)),
    ];
    const all = [...files, ...rulesFile(seal, files)];
    this.directory = bundleDirectory(seal);
    this.files = all.map((file) => sealedPath(seal, file));
    const changed = args.lookForDrift
      ? filesChangedByHand(this.directory, this.files, args.before)
      : new Map<string, string>();
    this.#say(changed);
    const written = all.map((file) => {
      const path = sealedPath(seal, file);
      const { stdout } = newSealedFile(seal, file, changed.has(path), { parent: this });
      return [path, stdout] as const;
    });
    this.checksums = pulumi
      .all(Object.fromEntries(written))
      .apply((all) =>
        Object.fromEntries(Object.entries(all).filter(([, sum]) => /^[0-9a-f]{64}$/.test(sum))),
      );
    this.registerOutputs({ files: this.files });
  }

  /** One line a file, or one for all of many. */
  #say(changed: ReadonlyMap<string, string>): void {
    const lines = [...changed].map(([path, how]) => `${path} ${how}`);
    const shown =
      lines.length <= 5 ? lines : [`${lines.length} files of ${this.directory} were changed`];
    for (const line of shown) {
      // One that failed may have written it: it left nothing to compare with.
      void pulumi.log.warn(
        `${line} since the last update that came to its end: \`pulumi up\` writes it again`,
        this,
      );
    }
  }
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

function hostPath(host: string): string {
  return `hosts/${host}.env`;
}

function hubRepository({ hub }: BundleArgs, host: string): string {
  return `rest:${withSlash(hub.url)}${host}/`;
}

function manifestFile(args: BundleArgs): BundleFile {
  const { hub, hosts, seal, stack, targets } = args;
  const guests = guestManifests(args);
  const targetManifests = pulumi.all(
    Object.fromEntries(targets.map(({ targetName, manifest }) => [targetName, manifest])),
  );
  const content = targetManifests.apply((byName) => {
    const manifest: Manifest = {
      version: MANIFEST_VERSION,
      stack,
      hub: {
        ...{ host: hub.host, url: withSlash(hub.url), repositories: hub.repositories },
        ...(guests !== undefined && { guestRepositories: hub.guestRepositories }),
      },
      hosts: Object.fromEntries(
        Object.entries(hosts).map(([host, { sizeGiB }]) => [
          host,
          {
            sizeGiB,
            user: host,
            repository: hubRepository(args, host),
            environment: sealedPath(seal, { path: hostPath(host), content: "", readers: [] }),
          },
        ]),
      ),
      ...(guests !== undefined && { guests }),
      targets: byName,
    };
    return json(manifest);
  });
  const machines = [hubKey(args), ...Object.values(hosts).map(({ key }) => key)];
  return { path: "offsite.json", content, readers: seal.manifest ? machines : "everybody" };
}

function hubKey({ hub, hosts }: BundleArgs): string {
  return hub.key ?? hostOf(hosts, hub.host).key;
}

function hubFiles(args: BundleArgs): BundleFile[] {
  const { seed, hosts, targets, hashes } = args;
  const readers = [hubKey(args)];
  const users = Object.entries(hosts).map(([host, { generation }]) => ({
    owner: { at: "hub", host } as const,
    generation,
  }));
  const remotes = pulumi.all(targets.map(({ rcloneRemotes }) => rcloneRemotes));
  const credentials = pulumi.all(
    Object.fromEntries(
      targets.map(({ targetName, hubCredentials }) => [targetName, hubCredentials]),
    ),
  );
  return [
    { path: "hub.htpasswd", content: htpasswdFile(seed, users, hashes), readers },
    { path: "rclone.conf", content: remotes.apply((each) => rcloneConf(each.flat())), readers },
    {
      path: "hub-credentials.json",
      content: credentials.apply((byName) => {
        const content: HubCredentials = { version: MANIFEST_VERSION, targets: byName };
        return json(content);
      }),
      readers,
    },
  ];
}

/** What a target adds. What is for the operators alone is left out where there are none. */
function targetFiles(args: BundleArgs, { bundleFiles = [] }: OffsiteTarget): BundleFile[] {
  const { format, operators } = args.seal;
  const keys = { everybody: "everybody", hub: [hubKey(args)], operators: [] } as const;
  return bundleFiles
    .filter(({ readers }) => readers !== "operators" || format === "plain" || operators.length > 0)
    .map(({ path, content, readers }) => ({ path, content, readers: keys[readers] }));
}

function hostFile(args: BundleArgs, host: string): BundleFile {
  const { key, ...standing } = hostOf(args.hosts, host);
  const trio = deriveTrio(args.seed, { at: "hub", host }, standing);
  const atHub: EnvLine[] = [
    {
      comment: `Back up to the hub: restic backup … with these; on a 401 with _NEXT, then _PREVIOUS`,
    },
    ["RESTIC_REPOSITORY", hubRepository(args, host)],
    ["RESTIC_REST_USERNAME", host],
    ["RESTIC_REST_PASSWORD", trio.current],
    ["OFFSITE_HUB_PASSWORD_NEXT", trio.next],
    ["OFFSITE_HUB_PASSWORD_PREVIOUS", trio.previous ?? ""],
  ];
  const restore = pulumi.all(args.targets.map((target) => target.restoreEnvironment(host)));
  return {
    path: hostPath(host),
    content: restore.apply((each) => envFile([...atHub, ...each.flat()])),
    readers: [key],
  };
}

function rulesFile(seal: SealConfig, files: readonly BundleFile[]): BundleFile[] {
  const sealed = files
    .filter(({ readers }) => readers !== "everybody")
    // The tool's rules are for files of its own.
    .filter((file) => formatOf(seal, file) === seal.format)
    .map((file) => ({ path: sealedPath(seal, file), recipients: recipientsOf(seal, file) }));
  switch (seal.format) {
    case "age":
      return [{ path: "secrets.nix", content: agenixRules(sealed), readers: "everybody" }];
    case "sops":
      return [{ path: ".sops.yaml", content: sopsRules(sealed), readers: "everybody" }];
    case "plain":
      return [];
  }
}
