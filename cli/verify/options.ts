import type { HostConfig } from "../../config/stack.ts";

/** What is known of any target. */
export interface TargetOptions {
  readonly stack: string;
  /** The target's name. */
  readonly name: string;
  /** The hosts, with the generations in force. */
  readonly hosts: Readonly<Record<string, HostConfig>>;
  /** Hours that a host's newest snapshot may be old. */
  readonly maxAgeHours: number;
}
