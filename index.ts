/**
 * fort-offsite: two homes elsewhere for a cluster's restic backups.
 *
 * Config in, targets up, bundle out.
 */
import { inspect } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import { Bundle } from "./components/bundle.ts";
import { newTarget } from "./components/targets.ts";
import { InputError } from "./config/problems.ts";
import { parseStackConfig } from "./config/parse.ts";

const stack = pulumi.getStack();
const config = readConfig();
const context = {
  stack,
  hosts: config.hosts,
  seed: config.credentialSeed,
  sshPrivateKey: config.sshPrivateKey,
};

const targets = Object.entries(config.targets).map(([name, target]) =>
  newTarget(name, target, context),
);

const bundle = new Bundle("bundle", {
  ...context,
  hub: config.hub,
  seal: config.seal,
  targets,
});

/** Where the bundle is, and what belongs to it. */
export const directory = config.seal.directory;
export const files = bundle.files;
/** What anybody may know of the targets. */
export const offsite = Object.fromEntries(
  targets.map(({ targetName, manifest }) => [targetName, manifest]),
);

/** Reads and checks the stack's config, before any resource is touched. */
function readConfig() {
  // Exported, but missing from the SDK's types.
  const { isConfigSecret } = pulumi.runtime as unknown as {
    isConfigSecret: (key: string) => boolean;
  };
  try {
    return parseStackConfig(
      { values: pulumi.runtime.allConfig(), isSecret: isConfigSecret },
      stack,
    );
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    // A RunError is shown without a stack trace. The SDK inspects it for its own trace all the
    // same, with all that hangs on it, which takes twenty seconds; this is the short answer.
    const { message } = error;
    throw Object.assign(new pulumi.RunError(message), { [inspect.custom]: () => message });
  }
}
