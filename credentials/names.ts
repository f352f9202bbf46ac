/** The names that credentials have at the systems that keep them. */

/** Whom a credential is for, and where it is good. */
export interface KeyOwner {
  readonly stack: string;
  readonly target: string;
  /** What the holder may do with it. */
  readonly purpose: "sync" | "restore" | "monitor";
  /** The one host whose repository it opens; all of them when it is left out. */
  readonly host?: string;
}

/**
 * The name of an application key at B2: letters, digits and hyphens (Backblaze, b2_create_key).
 * It names the generation, so that a key found at B2 can be told from its successor.
 */
export function keyName({ stack, target, purpose, host }: KeyOwner, generation: number): string {
  const parts = ["fort-offsite", stack, target, purpose, ...(host === undefined ? [] : [host])];
  return [...parts, `g${generation}`].join("-").replaceAll(/[^A-Za-z0-9-]/g, "-");
}
