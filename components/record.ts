/** The stack's memory between two updates: its own output of the last one. */
import * as pulumi from "@pulumi/pulumi";
import { InputError } from "../config/problems.ts";
import { parseRecord, remembered, STACK_RECORD, type StackRecord } from "../config/record.ts";
import { dataOf } from "../config/removal.ts";
import type { StackConfig } from "../config/stack.ts";
import type { Bundle } from "./bundle.ts";
import type { OffsiteTarget, TargetContext } from "./target.ts";

/**
 * What the last successful update left. One that failed leaves nothing: what it did is done again.
 *
 * @returns undefined before the first update, and after the state was lost.
 */
export async function readRecord(): Promise<StackRecord | undefined> {
  const name = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  // The engine's own function behind StackReference, without a resource for it.
  const answer = (await pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", { name })) as {
    outputs?: Record<string, unknown>;
    secretOutputNames?: string[];
  };
  const record = parseRecord(answer.outputs?.[STACK_RECORD]);
  // Only who knows the passphrase can have written a secret; hashes of passwords are taken from it.
  if (record !== undefined && answer.secretOutputNames?.includes(STACK_RECORD) !== true) {
    throw new InputError("The stack's memory of its last update cannot be trusted", [
      {
        path: ["outputs", STACK_RECORD],
        message:
          "is in clear text, which no update of ours leaves. Somebody changed the state: compare it with a copy",
      },
    ]);
  }
  return record;
}

/** What this update leaves for the next, once all of it is done. */
export function newRecord(
  config: StackConfig,
  { before, hashes }: TargetContext,
  targets: readonly OffsiteTarget[],
  bundle: Bundle,
): pulumi.Output<StackRecord | undefined> {
  const kept = pulumi.all(
    Object.fromEntries(targets.map(({ targetName, record }) => [targetName, record])),
  );
  const now = pulumi.all([kept, bundle.checksums]).apply(([byTarget, files]): StackRecord => ({
    version: 1,
    hosts: { ...before?.hosts, ...standings(config.hosts) },
    targets: { ...before?.targets, ...standings(config.targets) },
    guests: { ...before?.guests, ...standings(config.guests) },
    kept: Object.fromEntries(
      Object.entries(config.targets).flatMap(([name, target]) => {
        const record = remembered(byTarget, name);
        return record === undefined ? [] : [[name, { ...record, data: dataOf(target) }] as const];
      }),
    ),
    hashes: hashes.used,
    directory: bundle.directory,
    files,
  }));
  return pulumi.secret(orBefore(now, before));
}

/**
 * An update that went on after an error (`--continue-on-error`), or that left something out
 * (`--target`), comes to an end without knowing all of it. It leaves what was remembered.
 */
function orBefore(
  now: pulumi.Output<StackRecord>,
  before: StackRecord | undefined,
): pulumi.Output<StackRecord | undefined> {
  // Missing from the SDK's types.
  const { isKnown } = now as unknown as { isKnown: Promise<boolean> };
  return pulumi
    .output(isKnown)
    .apply((known): pulumi.Output<StackRecord | undefined> =>
      known || pulumi.runtime.isDryRun() ? now : pulumi.output(before),
    );
}

function standings(
  all: Readonly<Record<string, { generation: number; revoked: number }>>,
): StackRecord["hosts"] {
  return Object.fromEntries(
    Object.entries(all).map(([name, { generation, revoked }]) => [name, { generation, revoked }]),
  );
}
