/**
 * What the last update left in force, which is what the targets must be like now. What the settings
 * say beyond that becomes so with the next update.
 */
import { remembered, type StackRecord } from "../../config/record.ts";
import type { GuestConfig, HostConfig, StackConfig, TargetConfig } from "../../config/stack.ts";

/** A stack as its last update left it. */
export interface InForce {
  /** The hosts that have credentials, with the generations in force. */
  readonly hosts: Readonly<Record<string, HostConfig>>;
  /** The targets of the settings, with the generations in force. */
  readonly targets: Readonly<Record<string, TargetConfig>>;
  /** The guests that have credentials, with the generations in force. */
  readonly guests: Readonly<Record<string, GuestConfig>>;
  /** The targets that no update has made yet. */
  readonly unmade: ReadonlySet<string>;
  /** What waits for the next update, one line each. */
  readonly notices: readonly string[];
}

/**
 * @param record - of the last update; without one the settings are taken to be in force.
 */
export function inForce(config: StackConfig, record: StackRecord | undefined): InForce {
  if (record === undefined) {
    const { hosts, targets, guests } = config;
    return { hosts, targets, guests, unmade: new Set(), notices: [] };
  }
  const notices: string[] = [];
  const settle = <T extends { generation: number; revoked: number }>(
    what: string,
    all: Readonly<Record<string, T>>,
    before: StackRecord["hosts"],
  ): [string, T][] =>
    Object.entries(all).flatMap(([name, now]): [string, T][] => {
      const was = remembered(before, name);
      if (was === undefined) {
        notices.push(
          `the ${what} ${name} is in the settings, and no update has made it yet. Run pulumi up`,
        );
        return [];
      }
      if (was.generation !== now.generation) {
        notices.push(
          `${name}: the settings say generation ${now.generation}, and ${was.generation} is in force until the next pulumi up`,
        );
      }
      return [[name, { ...now, ...was }]];
    });
  const hosts = Object.fromEntries(settle("host", config.hosts, record.hosts));
  const made = Object.fromEntries(settle("target", config.targets, record.targets));
  const targets = { ...config.targets, ...made };
  const guests = Object.fromEntries(settle("guest", config.guests, record.guests ?? {}));
  const unmade = Object.keys(targets).filter((name) => remembered(record.kept, name) === undefined);
  return { hosts, targets, guests, unmade: new Set(unmade), notices };
}
