import { readFileSync } from "node:fs";
import { messageOf, UsageError } from "../errors.ts";

/** The options of one remote, `type` among them. Some are secret. */
export type RcloneSection = Readonly<Record<string, string>>;

/**
 * Reads an unencrypted rclone.conf, by remote.
 *
 * @throws UsageError where it cannot be read; no value of it is in the message.
 */
export function readRcloneConfig(path: string): ReadonlyMap<string, RcloneSection> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read "${path}": ${messageOf(error)}`);
  }
  const sections = new Map<string, Record<string, string>>();
  let section: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const [, name] = /^\s*\[(.+)\]\s*$/.exec(line) ?? [];
    if (name !== undefined) {
      section = {};
      sections.set(name, section);
      continue;
    }
    const [, key, value] = /^\s*([^=#;\s][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) section[key] = value;
  }
  return sections;
}
