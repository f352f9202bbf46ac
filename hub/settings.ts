/**
 * The hub's settings: what belongs to Nix and not to the stack. Schedules are not here: they are the
 * units' own. Every property has a default, the whole file may be missing.
 */
import { z } from "zod";
import { notifySchema } from "./notify/settings.ts";

const whole = z.int().min(0).max(10_000);
const path = z.string().startsWith("/", "must be an absolute path");
const command = z
  .tuple([z.string().min(1)], z.string())
  .describe("A program and its arguments; no shell is involved.");

/** How many days, weeks and months the hub's prune keeps a snapshot of. */
const retentionSchema = z.strictObject({
  daily: whole.default(7),
  weekly: whole.default(4),
  monthly: whole.default(6),
});

/** A check of a host's own that a drill runs on what was restored. */
const checkSchema = z.strictObject({
  name: z.string().min(1).describe("What it checks, for the report."),
  command: command.describe(
    "A program and its arguments, run in the folder that holds what was restored. Exit code 0 passes.",
  ),
  timeoutSeconds: z.int().min(1).default(600),
});

/** `settings.json` of the agent. */
export const settingsSchema = z
  .strictObject({
    $schema: z.string().optional(),
    version: z.literal(1).default(1),
    retention: retentionSchema.prefault({}),
    graceDays: z
      .number()
      .min(0)
      .default(7)
      .describe("Days between a file's removal at the hub and its hiding at a cloud target."),
    overdueHours: z
      .number()
      .positive()
      .default(48)
      .describe("Hours after which a host without a new snapshot is overdue."),
    overdueDays: z
      .strictObject({
        verify: z.number().positive().default(9),
        drill: z.number().positive().default(40),
        prune: z.number().positive().default(3),
      })
      .prefault({})
      .describe("Days after which a command that succeeded before is overdue to succeed again."),
    passwordFiles: z
      .record(z.string(), path)
      .default({})
      .describe(
        "By host: a file with a password of its restic repository; for prune, drill, status and list.",
      ),
    prune: z
      .strictObject({
        keepHours: whole
          .default(48)
          .describe(
            "Hours after its arrival in which no snapshot is removed, whatever came since.",
          ),
        maxBackupHours: z
          .number()
          .positive()
          .default(26)
          .describe(
            "The longest that a backup takes, in hours: a snapshot that claims an earlier time than so " +
              "long before its arrival is suspicious.",
          ),
      })
      .prefault({}),
    drill: z
      .strictObject({
        scratch: path
          .optional()
          .describe("Where drills restore to; a folder below it is made and removed again."),
        checks: z.record(z.string(), z.array(checkSchema)).default({}).describe("By host."),
        ignore: z
          .record(z.string(), z.array(path))
          .default({})
          .describe(
            "By host: files and folders, as they are called there, that the built-in checks of SQLite " +
              "files and PostgreSQL dumps leave alone.",
          ),
        sqlite3: z.string().min(1).default("sqlite3").describe("SQLite's program."),
        postgresql: path
          .optional()
          .describe(
            "The folder of PostgreSQL's programs (default: on PATH, or where Debian has them).",
          ),
        zstd: z.string().min(1).default("zstd").describe("The program that reads .zst files."),
      })
      .prefault({}),
    guests: z
      .strictObject({
        quietDays: z
          .number()
          .positive()
          .default(14)
          .describe("Days after which it is told that a guest has not backed up."),
        fullPercent: z
          .number()
          .min(1)
          .max(100)
          .default(90)
          .describe("The share of a guest's limit from which it is told that it is nearly full."),
      })
      .prefault({}),
    notify: notifySchema.prefault({}),
    page: z
      .strictObject({
        distrustHours: z
          .number()
          .positive()
          .default(3)
          .describe(
            "The age in hours from which the status page says that it is not to be trusted: well above " +
              "the time between two of them.",
          ),
      })
      .prefault({}),
    triggers: z
      .record(z.string(), command)
      .default({})
      .describe("By host: starts its backup and returns at once."),
  })
  .describe("Settings of offsite-hub.");

export type Settings = z.infer<typeof settingsSchema>;

/** The file with the password of a host's repository, where one is named. */
export function passwordFileOf(files: Settings["passwordFiles"], host: string): string | undefined {
  // A host may be called "constructor".
  return Object.hasOwn(files, host) ? files[host] : undefined;
}
export type Retention = z.infer<typeof retentionSchema>;
export type Check = z.infer<typeof checkSchema>;
