/**
 * What verify asks of a target beside its listing: content that is read back, and whether what must
 * be refused is refused.
 */
import type { CertificateFacts, KeyFacts } from "../results.ts";
import type { RepositoryFile } from "../repository/layout.ts";
import type { Inventory, Oddities } from "./target.ts";

/** What reading a file back came to. */
export type ReadBack =
  /** Its content; `config` is told as any other file. */
  | { readonly result: "read"; readonly bytes: number; readonly sha256: string }
  /** It is listed and cannot be read whole. */
  | { readonly result: "unreadable"; readonly reason: string };

/** What was tried on the canary. */
export interface CanaryReport {
  /** What must be refused and is not, or could not be tried; one line each. */
  readonly errors: string[];
  /** What is worth knowing, one line each. */
  readonly notices: string[];
  /** What the service said of the hub's keys, where there are such. */
  keys?: KeyFacts[];
  /** The certificate that the server showed, where it has one. */
  certificate?: CertificateFacts;
}

/** One target, as verify looks at it. */
export interface Probe {
  /**
   * Reads files back, without keeping any in memory.
   *
   * @param done - called once for each file, in any order.
   * @throws StopError where the target cannot be worked with.
   */
  readBack(
    files: Iterable<RepositoryFile>,
    done: (file: RepositoryFile, result: ReadBack) => void,
  ): Promise<void>;
  /**
   * What lies about in a host's repository that is none of its files.
   *
   * @throws StopError where the target cannot be worked with.
   */
  oddities(host: string, inventory: Inventory): Promise<Oddities>;
  /**
   * Tries, on a canary of its own and on nothing else, what must be refused for a host's
   * repository. It never throws.
   */
  tryHost(host: string): Promise<CanaryReport>;
  /** The same for the target as a whole. */
  tryTarget(): Promise<CanaryReport>;
  /** Lets go of connections. */
  close(): Promise<void>;
}
