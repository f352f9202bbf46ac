/** The checks of one target, one after another or side by side; none hides another. */
import { messageOf } from "../../hub/errors.ts";
import { interruption } from "../interruption.ts";
import type { CheckReport, GuestReport, HostReport, TargetReport } from "./report.ts";

/** What a check says of what it finds. */
export interface Check {
  /** What is not as the stack says: one line, with the way out. */
  error(line: string): void;
  /** What is worth knowing and no failure. */
  notice(line: string): void;
}

/** Thrown by a check that cannot be tried because of what another one has found. */
export class Skipped extends Error {
  override name = "Skipped";
}

/** Collects what is found at one target. */
export class Checks {
  readonly hosts: Record<string, HostReport> = {};
  usedBytes: number | null = null;
  maxBytes: number | null = null;
  freeBytes: number | null = null;
  readonly #checks: CheckReport[] = [];
  readonly #onCheck: (name: string) => void;

  /** @param onCheck - told of each check that is begun. */
  constructor(onCheck: (name: string) => void) {
    this.#onCheck = onCheck;
  }

  /**
   * Makes a check. Whatever goes wrong in it is one of its errors.
   *
   * @param work - returns what it saw, in a few words.
   * @returns whether it ended well.
   * @throws whatever an interruption brings.
   */
  async make(name: string, work: (check: Check) => Promise<string> | string): Promise<boolean> {
    const report: CheckReport = { name, state: "ok", seen: "", errors: [], notices: [] };
    this.#checks.push(report);
    this.#onCheck(name);
    interruption.throwIfAborted();
    try {
      report.seen = await work({
        error: (line) => report.errors.push(line),
        notice: (line) => report.notices.push(line),
      });
    } catch (error) {
      interruption.throwIfAborted();
      if (error instanceof Skipped) {
        report.state = "skipped";
        report.seen = error.message;
      } else report.errors.push(messageOf(error));
    }
    if (report.errors.length > 0) report.state = "failed";
    return report.state === "ok";
  }

  /** All that was found of a guest. */
  guestReport(): GuestReport {
    return { ok: this.#checks.every(({ state }) => state !== "failed"), checks: this.#checks };
  }

  /** All that was found. */
  report(type: TargetReport["type"]): TargetReport {
    return {
      type,
      ok: this.#checks.every(({ state }) => state !== "failed"),
      checks: this.#checks,
      usedBytes: this.usedBytes,
      maxBytes: this.maxBytes,
      freeBytes: this.freeBytes,
      hosts: this.hosts,
    };
  }
}
