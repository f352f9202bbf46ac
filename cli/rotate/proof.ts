/**
 * Proof of use: what `offsite-hub status --json` says of the credentials that the hub used last. A
 * rotation takes away what was replaced by the one before; who still needs that is named here.
 */
import { z } from "zod";
import { jointGeneration } from "../../credentials/derive.ts";
import { remembered, type StackRecord } from "../../config/record.ts";
import type { StackConfig } from "../../config/stack.ts";
import { UsageError } from "../../hub/errors.ts";

const credential = z
  .object({ age: z.string(), generation: z.number().nullable(), lastUsed: z.string().nullable() })
  .nullable();

const statusSchema = z.object({
  version: z.literal(1),
  targets: z.record(
    z.string(),
    z.object({ hosts: z.record(z.string(), z.object({ credential })) }),
  ),
});

/**
 * Finds what is not proven: hosts whose last use at a target was of another generation than the one
 * in force, or that were never seen there.
 *
 * @param text - what `offsite-hub status --json` printed.
 * @returns one line each; empty where the hub uses everywhere what is in force.
 * @throws UsageError where the text is none of that.
 */
export function unproven(
  text: string,
  config: Pick<StackConfig, "hosts" | "targets">,
  record: StackRecord,
): string[] {
  const { targets } = parse(text);
  return Object.entries(config.targets).flatMap(([target, { type }]) => {
    const atTarget = remembered(record.targets, target)?.generation;
    if (atTarget === undefined) return [];
    return Object.keys(config.hosts).flatMap((host) => {
      const ofHost = remembered(record.hosts, host)?.generation;
      if (ofHost === undefined) return [];
      // The hub's own keys for a cloud open all repositories, and turn over with the target alone.
      const inForce = type === "rest-server" ? jointGeneration(ofHost, atTarget) : atTarget;
      const used = remembered(remembered(targets, target)?.hosts ?? {}, host)?.credential;
      if (used == null) return [`${target}: the hub has not been seen to use ${host}'s yet`];
      if (used.generation === inForce) return [];
      const when = used.lastUsed === null ? "" : ` (${used.lastUsed})`;
      return [
        `${target}: for ${host} the hub last used generation ${used.generation ?? "unknown"}${when}, and ${inForce} is in force. Deploy the hub, and let it mirror once`,
      ];
    });
  });
}

function parse(text: string): z.infer<typeof statusSchema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = statusSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    "--status: got something else than what `offsite-hub status --json` prints at the hub",
  );
}
