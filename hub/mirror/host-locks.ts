import { messageOf } from "../errors.ts";
import { LockedError } from "../lock.ts";
import { lockRepository, type Patience } from "../locks.ts";

/** Shared locks of the hosts' repositories at the hub, for as long as a mirror reads these. */
export class HostLocks {
  readonly #state: string;
  readonly #held = new Map<string, () => void>();

  /** @param state - the agent's folder for what it remembers. */
  constructor(state: string) {
    this.#state = state;
  }

  /**
   * Takes the locks of some hosts, side by side.
   *
   * @returns by host why its lock could not be had.
   */
  async take(hosts: readonly string[], patience: Patience): Promise<Map<string, string>> {
    const refused = new Map<string, string>();
    const take = async (host: string): Promise<void> => {
      try {
        this.#held.set(host, await lockRepository(this.#state, host, "shared", patience));
      } catch (error) {
        const message = messageOf(error);
        refused.set(host, error instanceof LockedError ? message : `cannot lock it: ${message}`);
      }
    };
    await Promise.all(hosts.map(take));
    return refused;
  }

  /** Gives a host's lock back. */
  release(host: string): void {
    this.#held.get(host)?.();
    this.#held.delete(host);
  }

  /** Gives all of them back. */
  releaseAll(): void {
    for (const host of [...this.#held.keys()]) this.release(host);
  }
}
