/**
 * What a rotation may do to a generation, seen from the one that the last update left in force: stay
 * or go up by one. Who connects holds the generation before, the current one and the next, so that a
 * step of two would shut out every machine that has not been deployed since.
 */
import type { Problem } from "./problems.ts";
import { remembered, type StackRecord } from "./record.ts";
import type { StackConfig } from "./stack.ts";

/** A generation and up to which one all are revoked. */
export interface Standing {
  readonly generation: number;
  readonly revoked: number;
}

/** What a change of generation is. */
export type Step = "none" | "rotation" | "revocation" | "wrong";

/**
 * Tells what leads from one standing to another.
 *
 * @param before - undefined where nothing is known of before, and everything is right.
 */
export function stepOf(before: Standing | undefined, now: Standing): Step {
  if (before === undefined) return "none";
  if (now.revoked < before.revoked) return "wrong";
  // Whoever held the generation before also held the next one: both must be dead.
  const isRevocation = now.revoked > before.generation && now.generation === now.revoked + 1;
  if (isRevocation) return "revocation";
  if (now.revoked !== before.revoked) return "wrong";
  if (now.generation === before.generation) return "none";
  return now.generation === before.generation + 1 ? "rotation" : "wrong";
}

function wrongStep(
  at: "hosts" | "targets" | "guests",
  name: string,
  before: Standing,
  now: Standing,
): Problem {
  const { generation } = before;
  const command = `offsite rotate ${name}`;
  if (now.revoked !== before.revoked) {
    return {
      path: [at, name, "revoked"],
      message: `got ${now.revoked} with generation ${now.generation}, after generation ${generation} (revoked up to ${before.revoked}). To revoke all that a thief may hold, set revoked to ${generation + 1} and generation to ${generation + 2}, or run: ${command} --revoke`,
    };
  }
  const went = now.generation < generation ? "goes down from" : "skips some after";
  const why =
    now.generation < generation
      ? "what was replaced would be accepted again"
      : "machines that hold the generation after the current one would be shut out";
  return {
    path: [at, name, "generation"],
    message: `got ${now.generation}, which ${went} ${generation}: ${why}. Must be ${generation} or ${generation + 1}; after each step deploy every machine once. After a leak: ${command} --revoke`,
  };
}

/** Finds the generations of a config that cannot follow what the last update left. */
export function generationProblems(
  config: Pick<StackConfig, "hosts" | "targets"> & Partial<Pick<StackConfig, "guests">>,
  before: StackRecord | undefined,
): Problem[] {
  if (before === undefined) return [];
  const rotated = { hosts: [] as string[], targets: [] as string[], guests: [] as string[] };
  const problems = (["hosts", "targets", "guests"] as const).flatMap((at) =>
    Object.entries<Standing>(config[at] ?? {}).flatMap(([name, now]) => {
      const was = remembered(before[at] ?? {}, name);
      const step = stepOf(was, now);
      if (step === "rotation") rotated[at].push(name);
      return step === "wrong" && was !== undefined ? [wrongStep(at, name, was, now)] : [];
    }),
  );
  // A host's password at a server turns over with either; both at once would be a step of two.
  const twice = rotated.targets.filter((name) => config.targets[name]?.type === "rest-server");
  return rotated.hosts.length === 0
    ? problems
    : problems.concat(
        twice.map((name) => ({
          path: ["targets", name, "generation"],
          message: `is raised together with that of ${rotated.hosts.join(", ")}: their passwords there would skip one. The hosts' generations turn them over already: leave this one, or raise it in the next update, after every machine was deployed`,
        })),
      );
}
