/** Backblaze's transaction classes: A uploads and deletes, B downloads, C the rest. */
export type TransactionClass = "A" | "B" | "C";

/** What the emulator has counted since its start or the last reset. */
export interface B2Stats {
  /** Calls by operation name, failed ones and those that a fault ended included. */
  operations: Record<string, number>;
  /** Calls by transaction class; a listing counts once per started thousand entries. */
  transactions: Record<TransactionClass, number>;
  /** Answers by HTTP status; a connection that was reset counts as "reset". */
  statuses: Record<string, number>;
  /** Bytes of file content received. */
  bytesIn: number;
  /** Bytes of file content sent. */
  bytesOut: number;
  /** Bytes of all stored versions and parts, now. */
  storedBytes: number;
  /** The largest number of API calls that were under way at once. */
  maximumConcurrency: number;
}

// Backblaze, "Transaction pricing": what is not listed there as A or B is C.
const classA = new Set([
  "b2_cancel_large_file",
  "b2_delete_bucket",
  "b2_delete_file_version",
  "b2_delete_key",
  "b2_finish_large_file",
  "b2_get_upload_part_url",
  "b2_get_upload_url",
  "b2_hide_file",
  "b2_start_large_file",
  "b2_update_file_legal_hold",
  "b2_update_file_retention",
  "b2_upload_file",
  "b2_upload_part",
]);
const classB = new Set(["b2_download_file_by_id", "b2_download_file_by_name", "b2_get_file_info"]);

/** @returns the transaction class of an operation */
export function transactionClass(operation: string): TransactionClass {
  if (classA.has(operation)) return "A";
  return classB.has(operation) ? "B" : "C";
}

/** Counts calls, bytes and answers. */
export class Counters {
  #stats = emptyStats();
  #active = 0;

  begin(operation: string): void {
    this.#stats.operations[operation] = (this.#stats.operations[operation] ?? 0) + 1;
    this.#stats.transactions[transactionClass(operation)] += 1;
    this.#active += 1;
    this.#stats.maximumConcurrency = Math.max(this.#stats.maximumConcurrency, this.#active);
  }

  end(status: number | "reset"): void {
    this.#active -= 1;
    this.#stats.statuses[status] = (this.#stats.statuses[status] ?? 0) + 1;
  }

  addTransactions(operation: string, more: number): void {
    this.#stats.transactions[transactionClass(operation)] += more;
  }

  transactions(kind: TransactionClass): number {
    return this.#stats.transactions[kind];
  }

  addBytesIn(bytes: number): void {
    this.#stats.bytesIn += bytes;
  }

  addBytesOut(bytes: number): void {
    this.#stats.bytesOut += bytes;
  }

  snapshot(storedBytes: number): B2Stats {
    return { ...structuredClone(this.#stats), storedBytes };
  }

  reset(): void {
    this.#stats = emptyStats();
  }
}

function emptyStats(): B2Stats {
  return {
    operations: {},
    transactions: { A: 0, B: 0, C: 0 },
    statuses: {},
    bytesIn: 0,
    bytesOut: 0,
    storedBytes: 0,
    maximumConcurrency: 0,
  };
}
