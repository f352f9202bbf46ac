/** Resources of a stack on which no rule has anything to say, and ways to change them. */
import { parse, stringify } from "yaml";
import { UNFINISHED_DAYS } from "../../config/lifecycle.ts";
import { B2_CAPABILITIES } from "../../credentials/b2-capabilities.ts";
import { composeFile } from "../../peer/compose.ts";
import { judge } from "../../policy/judge.ts";
import type { Finding, ResourceFacts } from "../../policy/model.ts";
import { asRoot } from "../../peer/script.ts";
import { MASKED } from "../../policy/values.ts";
import { sftpUser } from "../../peer/sftp/place.ts";
import { sshdSettings } from "../../peer/sftp/script.ts";
import * as types from "../../policy/types.ts";

export const HOSTS = ["q", "ursula"];
export const DIGEST = `sha256:${"d2aff06f".repeat(8)}`;
export const ACCOUNT = "0123456789abcdef".repeat(2);

export function urnOf(type: string, name: string): string {
  return `urn:pulumi:prod::fort-offsite::${type}::${name}`;
}

export function fact(
  type: string,
  name: string,
  inputs: ResourceFacts["inputs"],
  more: Partial<ResourceFacts> = {},
): ResourceFacts {
  return {
    ...{ urn: urnOf(type, name), type, name, inputs },
    ...{ protect: false, retainOnDelete: false, dependencies: {} },
    ...more,
  };
}

export function compose(change: (file: ComposeFile) => void = () => undefined): string {
  const text = composeFile({
    project: "fort-offsite-prod-peer",
    image: `restic/rest-server:0.14.0@${DIGEST}`,
    listen: { address: "100.64.0.9", port: 8000, wildcard: false },
    repositories: "/srv/fort-offsite/repositories",
    auth: "/srv/fort-offsite/server/auth",
    maxSizeGiB: 200,
  });
  const file = parse(text) as ComposeFile;
  change(file);
  return stringify(file);
}

/** A compose file as the tests change it. */
export interface ComposeFile {
  services: Record<string, Record<string, unknown>> & { "rest-server": Record<string, unknown> };
  [key: string]: unknown;
}

const KEPT = { protect: true, retainOnDelete: true };

export function peer(text: string = compose(), files: object = {}): ResourceFacts {
  const url = "http://100.64.0.9:8000/";
  const repositories = Object.fromEntries(HOSTS.map((host) => [host, `rest:${url}${host}/`]));
  const manifest = { type: "rest-server", url, maxSizeGiB: 200, repositories };
  return fact("fort-offsite:index:RestServerTarget", "peer", {
    manifest,
    files: { "compose.yaml": text, ...files },
  });
}

export function b2Bucket(change: object = {}, target = "cloud"): ResourceFacts {
  const inputs = {
    bucketName: `fort-${target}`,
    bucketType: "allPrivate",
    defaultServerSideEncryption: { mode: "SSE-B2", algorithm: "AES256" },
    lifecycleRules: [
      {
        fileNamePrefix: "",
        daysFromHidingToDeleting: 30,
        daysFromStartingToCancelingUnfinishedLargeFiles: UNFINISHED_DAYS,
      },
    ],
    ...change,
  };
  return fact(types.B2_BUCKET, `${target}-bucket`, inputs, KEPT);
}

export function b2Key(
  rest: string,
  change: object = {},
  { target = "cloud", ...more }: Partial<ResourceFacts> & { target?: string } = {},
): ResourceFacts {
  const purpose = (/sync|monitor/.exec(rest)?.[0] ?? "restore") as keyof typeof B2_CAPABILITIES;
  const host = /^restore-(.+)-g\d+$/.exec(rest)?.[1];
  const inputs = {
    keyName: rest,
    capabilities: [...B2_CAPABILITIES[purpose]],
    // As a preview has the ID of a bucket that is not there yet.
    bucketIds: ["04da6b54-80e4-46f7-96ec-b56ff0331ba9"],
    ...(host !== undefined && { namePrefix: `${host}/` }),
    ...change,
  };
  return fact(types.B2_KEY, `${target}-${rest}`, inputs, {
    dependencies: { bucketIds: [urnOf(types.B2_BUCKET, `${target}-bucket`)], capabilities: [] },
    ...more,
  });
}

export function target(type: string, name: string, manifest: object = {}): ResourceFacts {
  const repositories = Object.fromEntries(HOSTS.map((host) => [host, `rclone:${name}:x/${host}`]));
  return fact(`fort-offsite:index:${type}Target`, name, {
    manifest: { type: type.toLowerCase(), repositories, ...manifest },
    files: {},
  });
}

/** A directory on a peer, with what is put into its sshd's settings. */
export function sftpTarget(change: (text: string) => string = (text) => text): ResourceFacts {
  const users = [undefined, ...HOSTS].map((host) => ({
    ...{ user: sftpUser("fort", host), host, publicKey: "ssh-ed25519 AAAA" },
  }));
  const text = sshdSettings({ project: "fort", dataDir: "/srv/fort", maxSizeGiB: 1, users });
  const repositories = Object.fromEntries(HOSTS.map((host) => [host, "rclone:files:/repository"]));
  const { inputs, ...rest } = target("Sftp", "files", { host: "10.0.0.7", repositories });
  return { ...rest, inputs: { ...inputs, files: { "sshd_config.d": change(text) } } };
}

export function b2Target(name = "cloud"): ResourceFacts[] {
  return [
    target("B2", name),
    b2Bucket({}, name),
    ...["sync-g1", "sync-g2", "hub-restore-g1", "hub-monitor-g1", ...HOSTS.map(hostKey)].map(
      (rest) => b2Key(rest, {}, { target: name }),
    ),
  ];
}

const hostKey = (host: string) => `restore-${host}-g1`;

export const READ = "6a018a9f2fc74eb6b293b0c548f38b39";
export const WRITE = "2efd5506f9c8494dacb1fa10a3e7d5b6";

export function r2Token(rest: string, change: object = {}, name = "second"): ResourceFacts {
  const id = rest.startsWith("sync") ? WRITE : READ;
  const policy = {
    effect: "allow",
    permissionGroups: [{ id }],
    resources: JSON.stringify({
      [`com.cloudflare.edge.r2.bucket.${ACCOUNT}_default_fort-${name}`]: "*",
    }),
    ...change,
  };
  return fact("cloudflare:index/accountToken:AccountToken", `${name}-${rest}`, {
    accountId: ACCOUNT,
    policies: [policy],
  });
}

export function r2Lock(rule: object = {}, change: object = {}, name = "second"): ResourceFacts {
  const rules = [
    { id: "keep", enabled: true, prefix: "", condition: { type: "Indefinite" }, ...rule },
  ];
  const inputs = {
    ...{ accountId: ACCOUNT, bucketName: `fort-${name}`, jurisdiction: "default", rules },
    ...change,
  };
  return fact(types.R2_LOCK, `${name}-lock`, inputs, KEPT);
}

export function r2Target(name = "second"): ResourceFacts[] {
  const inputs = { accountId: ACCOUNT, name: `fort-${name}`, jurisdiction: "default" };
  return [
    target("R2", name),
    fact(types.R2_BUCKET, `${name}-bucket`, inputs, KEPT),
    r2Lock({}, {}, name),
    ...["sync-g1", "sync-g2", "hub-restore-g1", ...HOSTS.map(hostKey)].map((rest) =>
      r2Token(rest, {}, name),
    ),
  ];
}

export function bundle(hosts: unknown = HOSTS): ResourceFacts {
  return fact(types.BUNDLE, "bundle", { hosts });
}

/** What puts a target on its peer. Its script is a secret, as a preview has it. */
export function peerCommand(name = "peer-server", change: object = {}): ResourceFacts {
  const inputs = {
    ...{ connection: MASKED, stdin: MASKED, triggers: ["/srv/fort-offsite"] },
    ...{ create: asRoot("install"), update: asRoot("install"), delete: asRoot("remove") },
    ...change,
  };
  return fact(types.REMOTE_COMMAND, name, inputs, { protect: true });
}

/** A cloud and a peer, as the program makes them. */
export function goodStack(): ResourceFacts[] {
  return [peer(), peerCommand(), ...b2Target(), bundle()];
}

/** The stack with resources in the place of those of their name, or beside all of them. */
export function withResources(...changed: readonly ResourceFacts[]): ResourceFacts[] {
  const names = changed.map(({ name }) => name);
  return [...goodStack().filter(({ name }) => !names.includes(name)), ...changed];
}

/** Findings as `severity rule subject`, each once. */
export function told(findings: readonly Finding[]): string[] {
  return [
    ...new Set(findings.map(({ severity, rule, subject }) => `${severity} ${rule} ${subject}`)),
  ];
}

/** What the good stack is told with some resources in it. */
export function toldOf(...changed: readonly ResourceFacts[]): string[] {
  return told(judge(withResources(...changed)));
}
