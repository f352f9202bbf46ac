/**
 * Watches over rclone while it works with a key of B2. When a key is taken away while files travel,
 * rclone takes the refusals for something that passes, and pauses longer and longer, up to hours.
 */
import { B2Account } from "./b2-account.ts";
import { b2Transport } from "./b2-transport.ts";
import { readRcloneConfig, type RcloneSection } from "./rclone-config.ts";

/** For so long without progress nothing is thought of it; then the service is asked, ever less often. */
const QUIET_MS = 10_000;
const LONGEST_MS = 600_000;

/** Watches one run of rclone. End it with the run. */
export class KeyWatch {
  readonly #section: RcloneSection | undefined;
  readonly #refused = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #pause = QUIET_MS;
  #bytes = 0;
  #hasEnded = false;

  /**
   * @param config - rclone.conf, which is read now, as rclone reads it.
   * @param remote - the remote at work; nothing is watched where it is none of B2's.
   */
  constructor(config: string, remote: string) {
    this.#section = sectionOf(config, remote);
    this.#wait();
  }

  /** Aborted when the service refuses the key. */
  get refused(): AbortSignal {
    return this.#refused.signal;
  }

  /**
   * rclone gets on.
   *
   * @param bytes - how many it has sent by now, where that is what it says.
   */
  progress(bytes = this.#bytes + 1): void {
    if (bytes <= this.#bytes) return;
    this.#bytes = bytes;
    this.#pause = QUIET_MS;
    this.#wait();
  }

  end(): void {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    clearTimeout(this.#timer);
    if (this.#section?.type !== "b2" || this.#hasEnded || this.refused.aborted) return;
    this.#timer = setTimeout(() => void this.#ask(this.#bytes), this.#pause);
  }

  async #ask(before: number): Promise<void> {
    const transport = b2Transport();
    try {
      const answer = await new B2Account(this.#section ?? {}, transport).authorize();
      if (answer === undefined && !this.#hasEnded) this.#refused.abort();
    } catch {
      // Nobody answers: rclone's own tries decide.
    } finally {
      await transport.close();
    }
    if (this.#bytes !== before) return;
    this.#pause = Math.min(2 * this.#pause, LONGEST_MS);
    this.#wait();
  }
}

function sectionOf(config: string, remote: string): RcloneSection | undefined {
  try {
    return readRcloneConfig(config).get(remote);
  } catch {
    // rclone says what is wrong with it.
    return undefined;
  }
}
