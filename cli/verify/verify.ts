/** All targets of a stack as they are now, side by side. */
import type { StackRecord } from "../../config/record.ts";
import { remembered } from "../../config/record.ts";
import type { StackConfig } from "../../config/stack.ts";
import type { Credentials } from "../../sdks/b2/client/client.ts";
import type { StateResource } from "../stack.ts";
import { verifyB2 } from "./b2.ts";
import { Checks } from "./checks.ts";
import { verifyGuest } from "./guests.ts";
import { inForce, type InForce } from "./in-force.ts";
import { verifyR2 } from "./r2.ts";
import type { GuestReport, TargetReport, VerifyReport } from "./report.ts";
import { verifyRestServer } from "./rest-server.ts";
import { verifyS3 } from "./s3.ts";
import { verifySftp } from "./sftp.ts";

/** What to verify. */
export interface VerifyOptions {
  readonly stack: string;
  readonly config: StackConfig;
  readonly record: StackRecord | undefined;
  readonly resources: readonly StateResource[];
  /** The operator's own key for B2. */
  readonly operator: Credentials;
  /** The operator's own API token for Cloudflare; undefined where there is none. Secret. */
  readonly cloudflareToken?: string | undefined;
  /** Ids of other keys that may reach a bucket. */
  readonly knownKeys: readonly string[];
  /** Names of targets of the config. */
  readonly targets: readonly string[];
  /** Names of guests of the config; none when left out. */
  readonly guests?: readonly string[];
  readonly maxAgeHours: number;
  /** Told of each check that is begun, and of each target that is done with. */
  readonly onProgress: (target: string, check: string | undefined) => void;
}

/**
 * Verifies. What goes wrong is in the report, and at one target hides nothing of another.
 *
 * @throws whatever an interruption brings.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const started = new Date();
  const now = inForce(options.config, options.record);
  const reports = await Promise.all(
    options.targets.map(async (name) => {
      const report = await verifyTarget(name, now, options);
      options.onProgress(name, undefined);
      return [name, report] as const;
    }),
  );
  const guests = await verifyGuests(now, options);
  return {
    version: 1,
    stack: options.stack,
    started: started.toISOString(),
    seconds: (Date.now() - started.getTime()) / 1000,
    ok: [...reports, ...guests].every(([, { ok }]) => ok),
    notices: [...now.notices],
    targets: Object.fromEntries(reports),
    ...(guests.length > 0 && { guests: Object.fromEntries(guests) }),
  };
}

async function verifyGuests(
  now: InForce,
  { config, guests = [], onProgress }: VerifyOptions,
): Promise<[string, GuestReport][]> {
  return await Promise.all(
    guests
      .flatMap((name) => {
        const guest = remembered(now.guests, name);
        return guest === undefined ? [] : [[name, guest] as const];
      })
      .map(async ([name, guest]): Promise<[string, GuestReport]> => {
        const checks = new Checks((check) => onProgress(name, check));
        await verifyGuest({ name, guest, hub: config.hub, seed: config.credentialSeed }, checks);
        onProgress(name, undefined);
        return [name, checks.guestReport()];
      }),
  );
}

async function verifyTarget(
  name: string,
  { hosts, targets, unmade }: InForce,
  options: VerifyOptions,
): Promise<TargetReport> {
  const { stack, config, maxAgeHours, operator, knownKeys } = options;
  const target = targets[name];
  if (target === undefined) throw new RangeError(`"${name}" is no target of the stack`);
  const checks = new Checks((check) => options.onProgress(name, check));
  const resources = resourcesOf(name, options.resources);
  const common = { stack, name, hosts, maxAgeHours };
  const kept = options.record && remembered(options.record.kept, name);
  // Some types have nothing in the state but the component itself.
  if (unmade.has(name) || (resources.length === 0 && target.type !== "s3")) {
    await checks.make("stack", () => {
      throw new Error("no update has made it yet. Run pulumi up");
    });
  } else if (target.type === "b2") {
    const record = kept?.type === "b2" ? kept : undefined;
    const endpoint = operator.endpoint === "" ? (target.endpoint ?? "") : operator.endpoint;
    const own = { ...operator, endpoint };
    await verifyB2({ ...common, target, record, resources, operator: own, knownKeys }, checks);
  } else if (target.type === "r2") {
    const record = kept?.type === "r2" ? kept : undefined;
    const token = options.cloudflareToken;
    await verifyR2({ ...common, target, record, resources, token, knownKeys }, checks);
  } else if (target.type === "s3") {
    const secrets = remembered(config.targetSecrets, name) ?? {};
    await verifyS3({ ...common, target, secrets }, checks);
  } else if (target.type === "rest-server") {
    const record = kept?.type === "rest-server" ? kept : undefined;
    const { credentialSeed: seed, sshPrivateKey } = config;
    const repair = repairWith(config.lookForDrift);
    await verifyRestServer({ ...common, target, record, seed, sshPrivateKey, repair }, checks);
  } else {
    const { credentialSeed: seed, sshPrivateKey, lookForDrift } = config;
    const repair = repairWith(lookForDrift);
    await verifySftp({ ...common, target, seed, sshPrivateKey, repair }, checks);
  }
  return checks.report(target.type);
}

/** What puts right what was changed at a peer: without a look Pulumi has nothing to put right. */
function repairWith(lookForDrift: boolean): string {
  return lookForDrift
    ? "Run pulumi up"
    : "Run pulumi up with fort-offsite:lookForDrift set to true";
}

/** The resources below the target's component. */
function resourcesOf(name: string, all: readonly StateResource[]): StateResource[] {
  return all.filter(({ parent = "" }) => {
    const [, , type = "", parentName] = parent.split("::");
    return parentName === name && /(^|\$)fort-offsite:index:\w+Target$/.test(type);
  });
}
