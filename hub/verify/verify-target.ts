/**
 * Verifies one target. The order of looking matters, because backups and prunes go on at the hub:
 * the names at the hub are in the ledger before the target is listed, so whatever the target shows
 * and the hub has lost since is known; and what came to the hub since the last mirror is told from
 * what is missing by when it came.
 */
import { CANARY } from "../../config/canary.ts";
import { messageOf } from "../errors.ts";
import { counted } from "../format.ts";
import { lockTarget, type Patience } from "../locks.ts";
import type { CanaryReport, Probe } from "../targets/probe.ts";
import { owedDeployment, StopError, type Inventory, type Target } from "../targets/target.ts";
import { endedKeys, withEnds } from "./key-ends.ts";
import { newHostVerification, type HostVerification, type TargetVerification } from "./report.ts";
import { verifyHost } from "./verify-host.ts";

/** What to verify at a target. */
export interface VerifyTargetOptions {
  readonly name: string;
  /** Where the repositories are for rclone; undefined for a rest-server. */
  readonly place: string | undefined;
  readonly hosts: readonly string[];
  /** All hosts of the manifest. */
  readonly allHosts: readonly string[];
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** The agent's folder for what it remembers. */
  readonly state: string;
  readonly patience: Patience;
  readonly overdueHours: number;
  /** Of 1, how much to read back; undefined to read nothing. */
  readonly share: number | undefined;
  readonly make: () => { readonly target: Target; readonly probe: Probe };
  /** Called when a host is done with. */
  readonly onHost: (host: string, report: HostVerification) => void;
}

/** Verifies. Whatever goes wrong is in the report. */
export async function verifyTarget(options: VerifyTargetOptions): Promise<TargetVerification> {
  const report: TargetVerification = { hosts: {}, errors: [], notices: [] };
  let release: (() => void) | undefined;
  let parts: { readonly target: Target; readonly probe: Probe } | undefined;
  try {
    parts = options.make();
    release = await lockTarget(options.state, options.name, options.patience);
    await verifyAll(options, parts.target, parts.probe, report);
  } catch (error) {
    report.errors.push(messageOf(error));
  } finally {
    await parts?.probe.close();
    await parts?.target.close();
    release?.();
  }
  return report;
}

async function verifyAll(
  options: VerifyTargetOptions,
  target: Target,
  probe: Probe,
  report: TargetVerification,
): Promise<void> {
  const inventories = await target.inventory(options.hosts);
  report.notices.push(...foreign(target, options));
  for (const host of options.hosts) {
    const started = performance.now();
    const found = inventories.get(host) ?? new Error("it was not listed");
    const verification = newHostVerification();
    report.hosts[host] = verification;
    try {
      await one(options, probe, host, found, verification, report);
    } catch (error) {
      addTo(verification, report, error);
    }
    const accepted = target.credential(host);
    verification.credential = accepted?.age ?? null;
    verification.generation = accepted?.generation ?? null;
    verification.accepted = accepted?.at.toISOString() ?? null;
    verification.seconds = (performance.now() - started) / 1000;
    if (verification.errors.length > 0) {
      verification.outcome = "failed";
      verification.freshAsOf = null;
    } else if (verification.outcome !== "absent") verification.outcome = "ok";
    options.onHost(host, verification);
    // What was listed is not needed any longer, and may be large.
    inventories.delete(host);
  }
  report.notices.push(...owed(report));
  const tried = await probe.tryTarget();
  take(report, tried);
  if (tried.certificate !== undefined) report.certificate = tried.certificate;
  if (tried.keys !== undefined) {
    report.keys = withEnds(options.state, options.name, tried.keys);
    report.errors.push(...endedKeys(options.name, report.keys));
  }
}

async function one(
  options: VerifyTargetOptions,
  probe: Probe,
  host: string,
  found: Inventory | Error,
  verification: HostVerification,
  report: TargetVerification,
): Promise<void> {
  if (found instanceof Error) {
    addTo(verification, report, found);
    return;
  }
  await verifyHost(options, host, found, probe, verification);
  const { locks, unknown, paths } = await probe.oddities(host, found);
  if (locks > 0) {
    verification.notices.push(
      `${counted(locks, "lock")} of restic there: somebody works on the copy itself, or was ended while doing so`,
    );
  }
  if (unknown > 0) {
    verification.notices.push(
      `${counted(unknown, "file")} there that belong to no repository: ${paths.join(", ")}${unknown > paths.length ? " and more" : ""}`,
    );
  }
  take(verification, await probe.tryHost(host));
}

/** Which credential the hosts were accepted with, where it was not the current one. */
function owed({ hosts }: TargetVerification): string[] {
  const ages = Object.values(hosts).map(({ credential }) => credential);
  return (["previous", "next"] as const).filter((age) => ages.includes(age)).map(owedDeployment);
}

/** Whatever is beside the repositories of the manifest's hosts. */
function foreign(target: Target, { allHosts }: VerifyTargetOptions): string[] {
  return [...(target.others ?? [])]
    .filter(([folder]) => folder !== CANARY && !allHosts.includes(folder))
    .map(
      ([folder, files]) =>
        `"${folder}" (${counted(files, "file")}) belongs to no host of the manifest`,
    );
}

function take(
  into: { readonly errors: string[]; readonly notices: string[] },
  from: CanaryReport,
): void {
  into.errors.push(...from.errors);
  into.notices.push(...from.notices);
}

/** An error that stops the target is told once. */
function addTo(verification: HostVerification, report: TargetVerification, error: unknown): void {
  const message = messageOf(error);
  verification.errors.push(message);
  const whole = error instanceof StopError && error.scope === "target";
  if (whole && !report.errors.includes(message)) report.errors.push(message);
}
