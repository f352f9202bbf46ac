/** What every target has in common, so that the program and the bundle know no types. */
import type * as pulumi from "@pulumi/pulumi";
import type { HubCredentials, TargetManifest } from "../config/manifest.ts";
import type { StackRecord, TargetRecord } from "../config/record.ts";
import type { HostConfig, TargetSecrets } from "../config/stack.ts";
import type { EnvLine } from "../credentials/env-file.ts";
import type { HashMemory } from "../credentials/htpasswd.ts";
import type { RcloneRemote } from "../credentials/rclone-conf.ts";
import type { Sighting } from "../peer/look.ts";

/** What a target needs to know of the stack beside its own settings. */
export interface TargetContext {
  readonly stack: string;
  readonly hosts: Readonly<Record<string, HostConfig>>;
  /** The seed of all derived credentials, 32 bytes in hex. Secret. */
  readonly seed: string;
  /** The operator's SSH key; without it the SSH agent is asked. Secret. */
  readonly sshPrivateKey?: string | undefined;
  /** Passwords' hashes, which are not reckoned twice. */
  readonly hashes: HashMemory;
  /** What the last update left; nothing before the first. */
  readonly before?: StackRecord | undefined;
  /** What a target needs that cannot be derived, by target. Secret. */
  readonly targetSecrets?: Readonly<Record<string, TargetSecrets>>;
  /** What was seen at the peers, by target. A target without a look was not looked at. */
  readonly looks?: ReadonlyMap<string, Sighting>;
}

/** A file that a target adds to the bundle. */
export interface TargetFile {
  /** Where it belongs in the bundle, without the suffix that its seal adds. */
  readonly path: string;
  readonly content: pulumi.Input<string>;
  /** Who can read it beside the operators. */
  readonly readers: "everybody" | "hub" | "operators";
}

/** One offsite place, as the bundle sees it. */
export interface OffsiteTarget {
  readonly targetName: string;
  /** What anybody may know of it. */
  readonly manifest: pulumi.Input<TargetManifest>;
  /** What the hub needs to write to it. Secret. */
  readonly hubCredentials: pulumi.Output<HubCredentials["targets"][string]>;
  /** The rclone remotes through which the hub reaches it. Secret. */
  readonly rcloneRemotes: pulumi.Output<RcloneRemote[]>;
  /** What it adds to the bundle. */
  readonly bundleFiles?: readonly TargetFile[];
  /** What the next update has to know of it; known once this one has done its work there. */
  readonly record: pulumi.Output<TargetRecord>;
  /** What a host needs to restore from it, as lines of its env file. Secret. */
  restoreEnvironment(host: string): pulumi.Output<EnvLine[]>;
}

/**
 * What anybody may see of a target in a preview, as its component's inputs: for reviewers and for
 * the policies, which judge by it.
 *
 * @param files - what is put on a machine and is not secret, by name.
 */
export function publicInputs(
  manifest: TargetManifest,
  files: Readonly<Record<string, string>> = {},
): pulumi.Inputs {
  return { manifest, files };
}

/** Makes an object with a property for each host. */
export function forEachHost<T>(
  hosts: Readonly<Record<string, unknown>>,
  make: (host: string) => T,
): Record<string, T> {
  return Object.fromEntries(Object.keys(hosts).map((host) => [host, make(host)]));
}

/**
 * A host of the stack.
 *
 * @throws RangeError when the stack has no such host, which a checked config cannot lead to.
 */
export function hostOf(hosts: Readonly<Record<string, HostConfig>>, name: string): HostConfig {
  const host = Object.hasOwn(hosts, name) ? hosts[name] : undefined;
  if (host === undefined) throw new RangeError(`"${name}" is no host of the stack`);
  return host;
}

/** A base URL that ends in one slash, so that a host's name can follow. */
export function withSlash(url: string): string {
  return url.replace(/\/*$/, "/");
}
