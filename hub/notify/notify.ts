/**
 * Tells a dead man's switch and a webhook how a run of the agent ended. It never makes a run fail,
 * and holds none up for long. A run that is killed says nothing, and that is what the switch is for.
 */
import { randomUUID } from "node:crypto";
import { messageOf, UsageError } from "../errors.ts";
import { counted, duration } from "../format.ts";
import type { Inputs } from "../options.ts";
import type { Output } from "../output.ts";
import type { Ping } from "./ping.ts";
import type { SendPatience } from "./send.ts";

const PAUSE_MS = 500;
const ATTEMPTS = 3;

/**
 * Does the work of a command and tells how it ended.
 *
 * @param check - what the run is called, or undefined where it is not told of: a trial, or a part.
 * @throws whatever the work throws.
 */
export async function notified(
  inputs: Pick<Inputs, "settings" | "manifest" | "state">,
  output: Output,
  check: string | undefined,
  work: () => Promise<void>,
): Promise<void> {
  const { notify } = inputs.settings;
  const { pingUrlFile, pingUrlFiles, webhookUrlFile } = notify;
  const all = [pingUrlFile, webhookUrlFile, ...Object.values(pingUrlFiles)];
  if (check === undefined || all.every((file) => file === undefined)) {
    await work();
    return;
  }
  const run = new ToldRun(inputs, output, check);
  const begun = run.begin();
  try {
    await work();
  } catch (error) {
    await begun;
    await run.end(error instanceof UsageError ? 2 : 1, messageOf(error));
    throw error;
  }
  await begun;
  await run.end(Number(process.exitCode ?? 0));
}

type Told = Pick<Inputs, "settings" | "manifest" | "state">;

class ToldRun {
  readonly #inputs: Told;
  readonly #output: Output;
  readonly #check: string;
  readonly #id = randomUUID();
  readonly #started = performance.now();
  #ping: Ping | undefined;

  constructor(inputs: Told, output: Output, check: string) {
    this.#inputs = inputs;
    this.#output = output;
    this.#check = check;
  }

  /** Beside the work, and tried once: the end says more. */
  async begin(): Promise<void> {
    await this.#trying("the ping that it began", async () => {
      const { Ping: Made } = await import("./ping.ts");
      this.#ping = Made.of(this.#inputs.settings.notify, this.#check, this.#id);
      await this.#ping?.start(`${this.#name()}: began`, { ...this.#patience(), attempts: 1 });
    });
  }

  /** @param thrown - what ended it, where the command did not end by itself. */
  async end(exitCode: number, thrown?: string): Promise<void> {
    const seconds = (performance.now() - this.#started) / 1000;
    const { errors, errorCount } = this.#output;
    const all = thrown === undefined ? errors : [...errors, thrown];
    const count = errorCount + Number(thrown !== undefined);
    await Promise.all([
      this.#trying("the ping of how it ended", async () => {
        const how =
          exitCode === 0 ? "all well" : `exit code ${exitCode}, ${counted(count, "error")}`;
        const body = `${this.#name()}: ${how}, ${duration(seconds)}`;
        await this.#ping?.end(exitCode, body, this.#patience());
      }),
      this.#trying("the webhook", async () => {
        const { settings, manifest, state } = this.#inputs;
        const { tellWebhook } = await import("./webhook.ts");
        const ended = {
          check: this.#check,
          hub: manifest.hub.host,
          stack: manifest.stack,
          time: new Date().toISOString(),
          runId: this.#id,
          exitCode,
          seconds: Math.round(seconds * 1000) / 1000,
          errors: count,
          // A run's errors may name files; status names the first alone, and so does this.
          problems: this.#check === "status" ? all : all.slice(0, 1),
        };
        await tellWebhook(settings.notify, state, ended, this.#patience());
      }),
    ]);
  }

  #name(): string {
    return `${this.#inputs.manifest.hub.host} ${this.#check}`;
  }

  #patience(): SendPatience {
    const timeoutMs = this.#inputs.settings.notify.timeoutSeconds * 1000;
    return { timeoutMs, attempts: ATTEMPTS, pauseMs: PAUSE_MS };
  }

  /** That nobody could be told is worth a line, and no failure. */
  async #trying(what: string, send: () => Promise<void>): Promise<void> {
    try {
      await send();
    } catch (error) {
      this.#output.warning(`${this.#check}: could not send ${what}: ${messageOf(error)}`);
    }
  }
}
