/** What `offsite init` is going to do, complete and checked before anything is written. */
import type { Draft } from "./draft.ts";
import type { Secrets } from "./secrets.ts";
import type { SettingsFile } from "./settings-file.ts";

/** All that is written, and where. */
export interface Plan {
  readonly stack: string;
  /** The folder with Pulumi.yaml. */
  readonly project: string;
  /** The stack's file. */
  readonly file: string;
  readonly before: SettingsFile;
  /** Right by the rules of `pulumi preview`. */
  readonly settings: Draft;
  /** URL of the place where Pulumi keeps its state. */
  readonly backend: string;
  /** Whether Pulumi is still to log in there. */
  readonly isNewBackend: boolean;
  /** Whether the backend has the stack already. */
  readonly isKnown: boolean;
  readonly secrets: Secrets;
  /** Undefined where the environment has it for Pulumi, or none is needed. Secret. */
  readonly passphrase: string | undefined;
  /** The line for the peers' authorized_keys. */
  readonly publicKey: string | undefined;
  /** What the operator still has to see to. */
  readonly notes: readonly string[];
}
