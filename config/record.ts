/**
 * What an update leaves in the stack's output `record` for the next one: the generations in force,
 * and what was written where, so that a step that skips one and a change made by hand are seen.
 */
import { z } from "zod";
import { InputError } from "./problems.ts";

/** The stack's output that holds it. Secret, so that nobody has to read it in every preview. */
export const STACK_RECORD = "record";

const generation = z.int();

const turn = z.object({
  generation,
  /** The generation whose key is kept alive beside the current one. */
  previous: generation.optional(),
});

const generations = z.record(z.string(), z.object({ generation, revoked: generation }));

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Keys that a cloud makes for a target. */
const cloudTurns = {
  ...turn.shape,
  /** By host: the turn of the host's own restore key. */
  hosts: z.record(z.string(), turn),
};

const everyRecord = {
  /** Where its data is, for when it leaves the config; `removal.ts` says more. */
  data: z
    .object({ protect: z.boolean(), place: z.record(z.string(), z.string()), remains: z.string() })
    .optional(),
};

/** What is remembered of a target. */
const targetRecord = z.discriminatedUnion("type", [
  z.object({ type: z.literal("b2"), ...cloudTurns, ...everyRecord }),
  z.object({ type: z.literal("r2"), ...cloudTurns, ...everyRecord }),
  z.object({ type: z.literal("s3"), ...everyRecord }),
  z.object({ type: z.literal("sftp"), ...everyRecord }),
  z.object({
    type: z.literal("rest-server"),
    ...everyRecord,
    /** SHA-256 of the files that were put on the peer. */
    compose: sha256,
    htpasswd: sha256,
    /** The digests of images that the settings do not pin, by image. */
    digests: z.record(z.string(), z.string()).optional(),
    /** The peer's own authority: what names it, and its certificate in PEM. */
    authority: z.object({ id: z.string(), certificate: z.string() }).optional(),
  }),
]);

const recordSchema = z.object({
  version: z.literal(1),
  /** Of all hosts and targets that there ever were: one that comes back does not start again. */
  hosts: generations,
  targets: generations,
  guests: generations.optional(),
  /** By target, as its type needs it. */
  kept: z.record(z.string(), targetRecord),
  /** bcrypt's hashes of the passwords in force, by their salt. */
  hashes: z.record(z.string(), z.string()).default({}),
  /** The bundle's directory. */
  directory: z.string(),
  /** SHA-256 of the bundle's files as they were written, by path below its directory. */
  files: z.record(z.string(), sha256),
});

export type StackRecord = z.infer<typeof recordSchema>;
export type TargetRecord = z.infer<typeof targetRecord>;
export type Turn = z.infer<typeof turn>;

/**
 * Reads the output.
 *
 * @returns undefined where there is none.
 * @throws InputError where it is none of ours: going on without would lose what it remembers.
 */
export function parseRecord(value: unknown): StackRecord | undefined {
  if (value === undefined || value === null) return undefined;
  const parsed = recordSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new InputError("The stack's memory of its last update cannot be read", [
    {
      path: ["outputs", STACK_RECORD],
      message:
        "is of no version that is known here. Use the fort-offsite that made the last update, or a newer one",
    },
  ]);
}

/** What is remembered under a name, whatever JavaScript itself has under it. */
export function remembered<T>(all: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(all, name) ? all[name] : undefined;
}
