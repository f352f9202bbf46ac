import type { CredentialAge } from "../targets/target.ts";
import type { CertificateFacts, KeyFacts } from "../results.ts";
import { Finding } from "./compare.ts";

/**
 * How the verification of one host at one target ended:
 * - `ok`: all that should be there is, and nothing else;
 * - `failed`: it is not, or that could not be found out; `errors` say why;
 * - `absent`: neither the hub nor the target has a repository of the host.
 */
export type VerifyOutcome = "ok" | "failed" | "absent";

/** What was read back from a target, or read at the hub. */
export interface ReadReport {
  files: number;
  bytes: number;
  /** Files whose content is not what their name says, or that could not be read. */
  readonly damaged: Finding;
}

/** The verification of one host at one target. */
export interface HostVerification {
  outcome: VerifyOutcome;
  /** Files of the hub that are at the target as they should be, and their sizes together. */
  files: number;
  bytes: number;
  /** Snapshots of the hub that are at the target. */
  snapshots: number;
  /** At the hub and not at the target. */
  missing: Finding;
  /** As `missing`, but newer than the last complete mirror. */
  waiting: Finding;
  /** At the target with another size or another SHA-1 than the hub's. */
  wrongSize: Finding;
  wrongHash: Finding;
  /** At the target and never at the hub. */
  strangers: Finding;
  /** At the target and no longer at the hub, as it should be after a prune at the hub. */
  gone: Finding;
  /** With `--deep`: what was read back. */
  readonly read: ReadReport;
  /** When the last complete mirror began, ISO 8601; null where none is known. */
  lastMirror: string | null;
  /** The target is proven to hold all that the hub held at this time, ISO 8601; null where not. */
  freshAsOf: string | null;
  /** The credential that the target accepted, or null where it accepted none. */
  credential: CredentialAge | null;
  /** That credential's generation, and when it was last accepted, ISO 8601; null where none was. */
  generation: number | null;
  accepted: string | null;
  seconds: number;
  /** One line each; not empty where it failed. */
  readonly errors: string[];
  /** What is worth knowing and no failure, one line each. */
  readonly notices: string[];
}

/** The verification of one target. */
export interface TargetVerification {
  readonly hosts: Record<string, HostVerification>;
  /** At a cloud target: the hub's keys, as the service knows them. */
  keys?: readonly KeyFacts[];
  /** Where it has TLS: the certificate that it showed. */
  certificate?: CertificateFacts;
  /** What concerns the target as a whole, one line each. */
  readonly errors: string[];
  readonly notices: string[];
}

/** What the hub's own files of one host are like. */
export interface HubVerification {
  /** What was read, for it had not been read before. */
  readonly read: ReadReport;
  readonly errors: string[];
}

/** What `offsite-hub verify --json` writes. It changes only compatibly. */
export interface VerifyReport {
  readonly version: 1;
  /** When the run began, ISO 8601 in UTC. */
  readonly started: string;
  readonly seconds: number;
  /** The hub's own files, by host. */
  readonly hub: Record<string, HubVerification>;
  readonly targets: Record<string, TargetVerification>;
}

/** A report of nothing done yet. */
export function newHostVerification(): HostVerification {
  return {
    outcome: "failed",
    files: 0,
    bytes: 0,
    snapshots: 0,
    missing: new Finding(),
    waiting: new Finding(),
    wrongSize: new Finding(),
    wrongHash: new Finding(),
    strangers: new Finding(),
    gone: new Finding(),
    read: newReadReport(),
    lastMirror: null,
    freshAsOf: null,
    credential: null,
    generation: null,
    accepted: null,
    seconds: 0,
    errors: [],
    notices: [],
  };
}

/** A report of nothing read yet. */
export function newReadReport(): ReadReport {
  return { files: 0, bytes: 0, damaged: new Finding() };
}

/** Whether all is as it must be. */
export function passed(report: VerifyReport): boolean {
  const hub = Object.values(report.hub).flatMap(({ errors }) => errors);
  const targets = Object.values(report.targets);
  const hosts = targets.flatMap((target) => Object.values(target.hosts));
  return [hub, ...targets.map(({ errors }) => errors), ...hosts.map(({ errors }) => errors)].every(
    (errors) => errors.length === 0,
  );
}

/** Names the first files of a finding: `a, b and 7 more`. */
export function named(finding: Finding, shown = 5): string {
  const paths = finding.paths.slice(0, shown).join(", ");
  const more = finding.count - Math.min(shown, finding.paths.length);
  return more > 0 ? `${paths} and ${more} more` : paths;
}
