import { send, type SendPatience } from "./send.ts";
import { readUrl } from "./secret-file.ts";
import type { NotifySettings } from "./settings.ts";

/** The dead man's switch of one run: silence says that it never came to its end. */
export class Ping {
  readonly #url: URL;
  readonly #runId: string;

  private constructor(url: URL, runId: string) {
    this.#url = url;
    this.#runId = runId;
  }

  /**
   * The ping of a check, where the settings have one.
   *
   * @throws Error where its URL cannot be read, or serves several checks at once: the success of one
   * would hide that another fails.
   */
  static of(settings: NotifySettings, check: string, runId: string): Ping | undefined {
    const { pingUrlFile, pingUrlFiles } = settings;
    const own = Object.hasOwn(pingUrlFiles, check) ? pingUrlFiles[check] : undefined;
    if (own !== undefined) return new Ping(readUrl(own), runId);
    if (pingUrlFile === undefined) return undefined;
    const url = readUrl(pingUrlFile, (text) => {
      if (!text.includes("{check}")) {
        throw new Error(
          `the URL in "${pingUrlFile}" is for several checks and has no {check}: put that in, or name a file for each in pingUrlFiles`,
        );
      }
      return text.replaceAll("{check}", encodeURIComponent(check));
    });
    return new Ping(url, runId);
  }

  /** Says that the run began. @throws NotSentError */
  async start(body: string, patience: SendPatience): Promise<void> {
    await this.#send("/start", body, patience);
  }

  /** Says with which exit code the run ended. @throws NotSentError */
  async end(exitCode: number, body: string, patience: SendPatience): Promise<void> {
    await this.#send(`/${exitCode}`, body, patience);
  }

  async #send(suffix: string, body: string, patience: SendPatience): Promise<void> {
    const url = new URL(this.#url);
    url.pathname = url.pathname.replace(/\/$/, "") + suffix;
    url.searchParams.set("rid", this.#runId);
    await send({ url, body, headers: { "content-type": "text/plain; charset=utf-8" } }, patience);
  }
}
