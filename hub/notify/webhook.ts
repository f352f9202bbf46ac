import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeStateFile } from "../state-file.ts";
import { readSecret, readUrl } from "./secret-file.ts";
import { send, type SendPatience } from "./send.ts";
import type { NotifySettings } from "./settings.ts";

/** What the webhook gets, as JSON. It changes only compatibly: properties may be added. */
export interface WebhookMessage {
  readonly version: 1;
  /** `failed` when it fails for the first time and again while it does; `recovered` once. */
  readonly event: "failed" | "recovered";
  /** What was run: `mirror-cloud`, `verify`, `prune`, `drill`, `status`, … */
  readonly check: string;
  readonly hub: string;
  readonly stack: string;
  /** When the run ended, ISO 8601 in UTC. */
  readonly time: string;
  /** The end of the first run that failed. */
  readonly since: string;
  readonly runId: string;
  readonly exitCode: number;
  readonly seconds: number;
  /** How many errors the run told of. */
  readonly errors: number;
  /** Of `status` all its problems, up to 20; of other runs the first error. */
  readonly problems: readonly string[];
  /** All that in one line, for services that show a `text`. */
  readonly text: string;
}

/** What ended. */
export type Ended = Omit<WebhookMessage, "version" | "event" | "since" | "text">;

const toldSchema = z.object({
  version: z.literal(1),
  /** The end of the first run that failed. */
  since: z.iso.datetime(),
  /** When the webhook was last told of it. */
  told: z.iso.datetime(),
});

/**
 * Tells the webhook of a run, where it has something to tell: that something began to fail, still
 * does after a while, or does no more. Only what was delivered is remembered.
 *
 * @throws Error where it cannot be told, or not remembered.
 */
export async function tellWebhook(
  settings: NotifySettings,
  state: string,
  ended: Ended,
  patience: SendPatience,
): Promise<void> {
  const { webhookUrlFile, webhookTokenFile, repeatHours } = settings;
  if (webhookUrlFile === undefined) return;
  const path = join(state, "notify", `${ended.check}.json`);
  const before = readTold(path);
  const failed = ended.exitCode !== 0;
  if (!failed && before === undefined) return;
  const age = before === undefined ? Infinity : Date.parse(ended.time) - Date.parse(before.told);
  // A time of the future is a clock's that was wrong.
  if (failed && age >= 0 && age < repeatHours * 3_600_000) return;
  const since = before?.since ?? ended.time;
  const event = failed ? "failed" : "recovered";
  const message: WebhookMessage = {
    version: 1,
    event,
    ...ended,
    since,
    text: textOf(event, ended, since),
  };
  const headers = {
    "content-type": "application/json",
    ...(webhookTokenFile !== undefined && {
      authorization: `Bearer ${readSecret(webhookTokenFile)}`,
    }),
  };
  await send({ url: readUrl(webhookUrlFile), body: JSON.stringify(message), headers }, patience);
  if (failed) writeStateFile(path, { version: 1, since, told: ended.time });
  else rmSync(path, { force: true });
}

function textOf(event: WebhookMessage["event"], ended: Ended, since: string): string {
  const { hub, check, problems, errors, exitCode } = ended;
  if (event === "recovered") return `${hub}: ${check} is well again; it had failed since ${since}`;
  const more = errors > problems.length ? ` (and ${errors - problems.length} more)` : "";
  const again = since === ended.time ? "" : ` since ${since}`;
  const why = problems.length > 0 ? problems.join("; ") : `exit code ${exitCode}`;
  return `${hub}: ${check} fails${again}: ${why}${more}`;
}

/** What cannot be read is told again. */
function readTold(path: string): z.infer<typeof toldSchema> | undefined {
  try {
    return toldSchema.safeParse(JSON.parse(readFileSync(path, "utf8"))).data;
  } catch {
    return undefined;
  }
}
