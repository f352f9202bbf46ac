/** What `offsite verify` finds. */
import { z } from "zod";

/**
 * How a check ended:
 * - `ok`: all is as the stack says;
 * - `failed`: it is not, or that could not be found out; `errors` say why and what to do;
 * - `skipped`: it could not be tried, because of what another check's errors say.
 */
const checkState = z.enum(["ok", "failed", "skipped"]);

const checkSchema = z.object({
  name: z.string(),
  state: checkState,
  /** What was seen, in a few words. */
  seen: z.string(),
  /** One line each, with the way out. Not empty where it failed. */
  errors: z.array(z.string()),
  /** What is worth knowing and no failure, one line each. */
  notices: z.array(z.string()),
});

const hostSchema = z.object({
  /** The snapshots there; null where that could not be found out. */
  snapshots: z.int().nullable(),
  /** When the newest of them arrived there, ISO 8601 in UTC; null where there is none. */
  newest: z.iso.datetime().nullable(),
  ageSeconds: z.number().nullable(),
});

const targetSchema = z.object({
  type: z.enum(["b2", "r2", "s3", "rest-server", "sftp"]),
  ok: z.boolean(),
  /** Each of its own name, in the order in which they are made. */
  checks: z.array(checkSchema),
  /** What all repositories take there, and may; null where that is not known. */
  usedBytes: z.number().nullable(),
  maxBytes: z.number().nullable(),
  freeBytes: z.number().nullable(),
  hosts: z.record(z.string(), hostSchema),
});

const guestSchema = z.object({ ok: z.boolean(), checks: z.array(checkSchema) });

/** What `offsite verify --json` writes. It changes only compatibly. */
export const verifyReportSchema = z.object({
  version: z.literal(1),
  stack: z.string(),
  /** When the run began, ISO 8601 in UTC. */
  started: z.iso.datetime(),
  seconds: z.number(),
  /** Whether no check failed. */
  ok: z.boolean(),
  /** What is worth knowing of the stack as a whole, one line each. */
  notices: z.array(z.string()),
  targets: z.record(z.string(), targetSchema),
  /** The guests' servers at the hub, by guest; left out where none was asked for. */
  guests: z.record(z.string(), guestSchema).optional(),
});

export type VerifyReport = z.infer<typeof verifyReportSchema>;
export type GuestReport = z.infer<typeof guestSchema>;
export type TargetReport = z.infer<typeof targetSchema>;
export type HostReport = z.infer<typeof hostSchema>;
export type CheckReport = z.infer<typeof checkSchema>;
