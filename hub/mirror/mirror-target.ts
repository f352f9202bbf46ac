import { messageOf } from "../errors.ts";
import { openLedger } from "../ledger.ts";
import type { Patience } from "../locks.ts";
import type { Progress } from "../progress.ts";
import type { LocalListing } from "../repository/listing.ts";
import type { Retention } from "../settings.ts";
import { StopError, type CredentialAge, type Inventory, type Target } from "../targets/target.ts";
import { confirmSent } from "./confirm.ts";
import { HostLocks } from "./host-locks.ts";
import { lacking, mirrorHosts, type HostRun } from "./mirror-hosts.ts";
import { plan, rememberSnapshots, type Planned } from "./plan.ts";
import { fittingOf, groupsOf, heldBytes } from "./quota.ts";
import { removeGone } from "./removal.ts";
import { tryToRecord } from "./record.ts";
import { newHostReport, type HostReport, type TargetReport } from "./report.ts";

/** What to mirror to a target. */
export interface MirrorTargetOptions {
  readonly hosts: readonly string[];
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** The agent's folder for what it remembers. */
  readonly state: string;
  /** How long to wait for a command that changes a host's repository. */
  readonly patience: Patience;
  readonly retention: Retention;
  /** Days between a file's removal at the hub and its hiding at a target that can hide. */
  readonly graceDays: number;
  /** Go on although the hub has lost more than its retention takes. */
  readonly allowRemoval: boolean;
  readonly dryRun: boolean;
  readonly progress: Progress;
  /** Called when a host is done with; `errors` are those that concern it and not the target. */
  readonly onHost: (host: string, report: HostReport, errors: readonly string[]) => void;
}

/** Mirrors hosts to one target. Whatever goes wrong is in the report. */
export async function mirrorTarget(
  target: Target,
  options: MirrorTargetOptions,
): Promise<TargetReport> {
  const work = new TargetMirror(target, options);
  await work.run();
  return work.report;
}

class TargetMirror {
  readonly report: TargetReport = { credential: null, hosts: {}, errors: [] };
  readonly #target: Target;
  readonly #options: MirrorTargetOptions;
  readonly #locks: HostLocks;
  readonly #finished = new Set<string>();
  readonly #started = new Date();
  #inventories = new Map<string, Inventory | Error>();

  constructor(target: Target, options: MirrorTargetOptions) {
    this.#target = target;
    this.#options = options;
    this.#locks = new HostLocks(options.state);
    for (const host of options.hosts) this.report.hosts[host] = newHostReport();
  }

  async run(): Promise<void> {
    const { hosts, patience, dryRun } = this.#options;
    this.#inventories = await this.#list();
    try {
      // Those that are free first: one that is being pruned is not to keep the others waiting.
      const busy = dryRun
        ? new Map<string, string>()
        : await this.#locks.take(hosts, { seconds: 0 });
      await this.#mirror(hosts.filter((host) => !busy.has(host)));
      if (busy.size > 0) {
        const refused = await this.#locks.take([...busy.keys()], patience);
        for (const [host, reason] of refused) {
          this.#of(host).errors.push(reason);
          this.#finish(host);
        }
        await this.#mirror([...busy.keys()].filter((host) => !refused.has(host)));
      }
    } finally {
      this.#locks.releaseAll();
    }
    this.report.credential = worst(Object.values(this.report.hosts));
  }

  async #list(): Promise<Map<string, Inventory | Error>> {
    const { hosts } = this.#options;
    try {
      return await this.#target.inventory(hosts);
    } catch (error) {
      this.report.errors.push(messageOf(error));
      return new Map(hosts.map((host) => [host, new Error(messageOf(error))]));
    }
  }

  async #mirror(hosts: readonly string[]): Promise<void> {
    const { dryRun, progress } = this.#options;
    const planned: Planned[] = [];
    for (const host of hosts) {
      const run = await this.#plan(host);
      if (run === undefined) this.#finish(host);
      else planned.push(run);
    }
    const runs = fittingOf(this.#target.maxBytes, this.#inventories.values(), planned);
    for (const { host } of planned.filter((run) => !runs.includes(run))) this.#finish(host);
    const toSend = runs.filter(({ report }) => report.outcome !== "complete");
    progress.expect(this.#target.name, sum(toSend, "files"), sum(toSend, "bytes"));
    if (this.#target.hide === undefined)
      this.#finishAll(runs.filter((run) => !toSend.includes(run)));
    for (const group of groupsOf(toSend, this.#target.groupBytes)) {
      if (dryRun) group.forEach(estimate);
      else await this.#send(group);
      if (this.#target.hide === undefined) this.#finishAll(group);
    }
    const ready = runs.filter(({ report }) => ["complete", "planned"].includes(report.outcome));
    if (this.report.errors.length === 0) await removeGone(this.#target, ready, this.#options);
    this.#finishAll(runs);
  }

  async #plan(host: string): Promise<Planned | undefined> {
    const found = this.#inventories.get(host);
    if (found !== undefined && !(found instanceof Error)) {
      return await plan(this.#target, host, found, this.#of(host), this.#options);
    }
    const message = messageOf(found);
    this.#of(host).errors.push(message);
    const whole = found instanceof StopError && found.scope === "target";
    if (whole && !this.report.errors.includes(message)) this.report.errors.push(message);
    return undefined;
  }

  async #send(group: readonly Planned[]): Promise<void> {
    try {
      if (this.report.errors.length > 0) {
        for (const { report } of group) report.errors.push(...this.report.errors);
        return;
      }
      await mirrorHosts(this.#target, group, this.#options.progress, (run, listing) =>
        this.#writeDown(run, listing),
      );
    } catch (error) {
      this.report.errors.push(messageOf(error));
    }
    const complete = group.filter(({ report }) => report.outcome === "complete");
    await confirmSent(this.#target, complete);
    for (const run of group) {
      this.#inventories.set(run.host, run.inventory);
      const lack = lacking(run, run.listing);
      run.report.waitingFiles = run.report.outcome === "complete" ? 0 : lack.files;
      run.report.waitingBytes = run.report.outcome === "complete" ? 0 : lack.bytes;
    }
  }

  /** So that what is sent can be told from what a stranger puts at the target. */
  async #writeDown(run: HostRun, listing: LocalListing): Promise<void> {
    const ledger = await openLedger(this.#options.state, run.host);
    try {
      ledger.addListing(listing);
      ledger.baseline(this.#target.name, run.inventory);
    } catch (error) {
      throw new Error("cannot write down what is to be sent", { cause: error });
    } finally {
      ledger.close();
    }
  }

  #of(host: string): HostReport {
    return (this.report.hosts[host] ??= newHostReport());
  }

  #finishAll(runs: readonly Planned[]): void {
    for (const run of runs) {
      if (this.#finished.has(run.host)) continue;
      if (run.report.outcome === "complete") rememberSnapshots(this.#target, run, this.#options);
      this.#finish(run.host);
    }
  }

  #finish(host: string): void {
    const done = this.#of(host);
    this.#finished.add(host);
    this.#locks.release(host);
    const accepted = this.#target.credential(host);
    done.credential = accepted?.age ?? null;
    done.generation = accepted?.generation ?? null;
    done.accepted = accepted?.at.toISOString() ?? null;
    const inventory = this.#inventories.get(host);
    if (inventory !== undefined && !(inventory instanceof Error)) {
      done.heldBytes = heldBytes(inventory);
    }
    const { dryRun, state } = this.#options;
    if (!dryRun) tryToRecord(state, this.#target.name, host, this.#started, done);
    const errors = done.errors.filter((error) => !this.report.errors.includes(error));
    this.#options.onHost(host, done, errors);
  }
}

function estimate(run: Planned): void {
  run.report.outcome = "planned";
  run.report.files = run.files;
  run.report.bytes = run.bytes;
}

function sum(runs: readonly Planned[], what: "files" | "bytes"): number {
  return runs.reduce((total, run) => total + run[what], 0);
}

/** What says most about a deployment that is owed: "previous", then "next", then "current". */
function worst(reports: readonly HostReport[]): CredentialAge | null {
  const ages = reports.map((report) => report.credential);
  return (["previous", "next", "current"] as const).find((age) => ages.includes(age)) ?? null;
}
