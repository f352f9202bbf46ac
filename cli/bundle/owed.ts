/** Whether the settings are ahead of what is deployed: a bundle that is up to date is then too old. */
import { normalize } from "node:path";
import { remembered, type StackRecord } from "../../config/record.ts";
import type { StackConfig } from "../../config/stack.ts";

/**
 * Compares the settings with the last update.
 *
 * @returns a line for each difference that shows in the bundle; not every one there can be does.
 */
export function owedUpdates(config: StackConfig, record: StackRecord | undefined): string[] {
  if (record === undefined) return [];
  const generations = (["hosts", "targets", "guests"] as const).flatMap((at) =>
    Object.entries(config[at]).flatMap(([name, { generation, revoked }]) => {
      const was = remembered(record[at] ?? {}, name);
      if (was === undefined) return [`${at}.${name} is in the settings and not deployed`];
      return was.generation === generation && was.revoked === revoked
        ? []
        : [
            `${at}.${name} is at generation ${generation} in the settings, and ${was.generation} is deployed`,
          ];
    }),
  );
  const moved = normalize(config.seal.directory).replace(/\/+$/, "") !== record.directory;
  return [
    ...generations,
    ...(moved
      ? [`seal.directory is ${config.seal.directory}, and ${record.directory} is deployed`]
      : []),
  ];
}
