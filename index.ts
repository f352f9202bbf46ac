/**
 * fort-offsite: two homes elsewhere for a cluster's restic backups.
 *
 * Config in, targets up, bundle out.
 */
import * as pulumi from "@pulumi/pulumi";
import { Bundle } from "./components/bundle.ts";
import { plainError } from "./components/errors.ts";
import { newRecord, readRecord } from "./components/record.ts";
import { newTarget } from "./components/targets.ts";
import { InputError } from "./config/problems.ts";
import { parseStackConfig } from "./config/parse.ts";
import type { StackRecord } from "./config/record.ts";
import { guestFarewells } from "./config/guests.ts";
import { farewells } from "./config/removal.ts";
import type { StackConfig } from "./config/stack.ts";
import { HashMemory } from "./credentials/htpasswd.ts";
import { lookAtPeers } from "./peer/look.ts";

const stack = pulumi.getStack();
const before = await checked(readRecord);
const config = await checked(() => readConfig(before));
for (const farewell of [...farewells(config, before), ...guestFarewells(config, before)]) {
  void pulumi.log.warn(farewell);
}
const hashes = new HashMemory(before?.hashes);
const context = {
  stack,
  before,
  hosts: config.hosts,
  seed: config.credentialSeed,
  sshPrivateKey: config.sshPrivateKey,
  targetSecrets: config.targetSecrets,
  hashes,
  looks: await lookAtPeers(stack, config, before, hashes),
};

const targets = await Promise.all(
  Object.entries(config.targets).map(([name, target]) => newTarget(name, target, context)),
);

const bundle = new Bundle("bundle", {
  ...context,
  hub: config.hub,
  guests: config.guests,
  seal: config.seal,
  targets,
  lookForDrift: config.lookForDrift,
});

/** Where the bundle is, and what belongs to it. */
export const directory = bundle.directory;
export const files = bundle.files;
/** What anybody may know of the targets. */
export const offsite = Object.fromEntries(
  targets.map(({ targetName, manifest }) => [targetName, manifest]),
);

/** For the next update: what is in force, and what was written where. */
export const record = newRecord(config, context, targets, bundle);

/** Reads and checks the stack's config, before any resource is touched. */
function readConfig(last: StackRecord | undefined): StackConfig {
  // Exported, but missing from the SDK's types.
  const { isConfigSecret } = pulumi.runtime as unknown as {
    isConfigSecret: (key: string) => boolean;
  };
  const raw = { values: pulumi.runtime.allConfig(), isSecret: isConfigSecret };
  return parseStackConfig(raw, stack, last);
}

/** Ends the program with the message alone where an input is wrong. */
async function checked<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw plainError(error.message);
  }
}
