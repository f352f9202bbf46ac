import { z } from "zod";

import { B2Error } from "./errors.ts";
import { type Counters, transactionClass } from "./stats.ts";

const cap = z.int().min(0).nullable();
const capSchema = z.strictObject({
  /** Of all versions and parts stored. */
  storageBytes: cap,
  /** Of calls of class B since the counters were last reset. */
  classB: cap,
  /** Of calls of class C since the counters were last reset. */
  classC: cap,
});

/** The account's caps; null is no cap. */
export type CapSettings = z.infer<typeof capSchema>;

/** The caps that an account's owner may set on the web site. */
export class Caps {
  #settings: CapSettings = { storageBytes: null, classB: null, classC: null };

  get(): CapSettings {
    return { ...this.#settings };
  }

  /** @throws Error when it is not a set of caps, saying what is allowed */
  set(settings: Partial<CapSettings>): void {
    const result = capSchema.safeParse({ ...this.#settings, ...settings });
    if (!result.success) throw new Error(`Not caps:\n${z.prettifyError(result.error)}`);
    this.#settings = result.data;
  }

  /** @throws B2Error 403 `storage_cap_exceeded` */
  checkStorage(storedBytes: number, more: number): void {
    const { storageBytes } = this.#settings;
    if (storageBytes !== null && storedBytes + more > storageBytes) {
      throw new B2Error(
        403,
        "storage_cap_exceeded",
        "Cannot upload or copy files, storage cap exceeded.",
      );
    }
  }

  /** @throws B2Error 403 `transaction_cap_exceeded` */
  checkTransaction(operation: string, counters: Counters): void {
    const kind = transactionClass(operation);
    if (kind === "A") return;
    const cap = kind === "B" ? this.#settings.classB : this.#settings.classC;
    if (cap !== null && counters.transactions(kind) > cap) {
      throw new B2Error(
        403,
        "transaction_cap_exceeded",
        "Cannot perform the operation, transaction cap exceeded.",
      );
    }
  }
}
