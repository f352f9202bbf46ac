import type { Client } from "../client/client.ts";
import type { Problem } from "./check.ts";
import type { Difference } from "./diff.ts";
import type { Properties } from "./wire.ts";

/** A resource as it stands: its id and its outputs. */
export interface State {
  id: string;
  properties: Properties;
}

/** A resource that was read, with the inputs that would make it so. */
export interface ReadState extends State {
  inputs: Properties;
}

/** What a resource's diff found. */
export interface DiffResult {
  differences: Difference[];
  /** The new resource cannot exist beside the old one. */
  deleteBeforeReplace: boolean;
}

/** A kind of resource; values never carry marks of secrecy here. */
export interface Resource {
  /** Outputs that are always secret. */
  readonly secretOutputs: readonly string[];
  /** All that is wrong with the inputs; no call is made. */
  check(inputs: Properties, oldInputs: Properties): Problem[];
  /** What must change for `old` to become as the inputs say; no call is made. */
  diff(old: State, inputs: Properties): DiffResult;
  /** The outputs as far as they can be foreseen; `old` is given when it would be updated. */
  preview(inputs: Properties, old?: State): Properties;
  create(client: Client, inputs: Properties): Promise<State>;
  /** Reads the resource; undefined when it is gone. `old` is missing when it is imported. */
  read(client: Client, id: string, old?: ReadState): Promise<ReadState | undefined>;
  update(client: Client, old: State, inputs: Properties): Promise<Properties>;
  delete(client: Client, old: State): Promise<void>;
}

/**
 * A resource came to be, or may have, but is not finished. The state takes it up, so that nothing
 * is orphaned, and the next `up` goes on from there.
 */
export class InitFailedError extends Error {
  override readonly name = "InitFailedError";
  readonly id: string;
  readonly properties: Properties;
  /** Names of properties that are secret; set where that is known. */
  secrets: ReadonlySet<string> = new Set();

  constructor(id: string, properties: Properties, cause: Error) {
    super(cause.message, { cause });
    this.id = id;
    this.properties = properties;
  }
}

const unresolvedPrefix = "unresolved:";

/**
 * The id, in the state, of a resource whose creation was lost: the request was sent, no answer came,
 * and it could not be looked for. It is looked for when it is refreshed, replaced or deleted.
 */
export function unresolvedId(name: string): string {
  return unresolvedPrefix + name;
}

/** Whether an id is one of {@link unresolvedId}. */
export function isUnresolved(id: string): boolean {
  return id.startsWith(unresolvedPrefix);
}
