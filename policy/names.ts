/** What the names of the program's resources say. */

/** What a credential is for. */
export type Purpose = "sync" | "restore" | "monitor";

/** A credential by its resource's name. */
export interface KeyName {
  readonly target: string;
  /** undefined where the name says none. */
  readonly purpose: Purpose | undefined;
  /** The one host that it is for. */
  readonly host?: string;
  readonly generation?: number;
}

/** `<target>-<what it is for>-g<generation>`; a target's name has no hyphen. */
const KEY =
  /^(?<target>[a-z][a-z0-9]*)-(?:(?<hub>sync|hub-restore|hub-monitor|restore|monitor)|restore-(?<host>[a-z0-9-]+?))(?:-g(?<generation>\d+))?$/;

/** Takes the name of a key's resource apart. */
export function keyNameOf(name: string): KeyName {
  const groups = KEY.exec(name)?.groups;
  if (groups === undefined) return { target: targetOf(name), purpose: undefined };
  const { target = "", hub, host, generation } = groups;
  const purpose = hub?.replace("hub-", "") as Purpose | undefined;
  return {
    target,
    purpose: purpose ?? "restore",
    ...(host !== undefined && { host }),
    ...(generation !== undefined && { generation: Number(generation) }),
  };
}

/** The target that a resource belongs to, by its name. */
export function targetOf(name: string): string {
  return name.split("-")[0] ?? name;
}

/** A key in the user's words: `the hub's sync key of cloud, generation 3`. */
export function keyWords(name: string): string {
  const { target, purpose, host, generation } = keyNameOf(name);
  if (purpose === undefined) return `the key "${name}"`;
  const owner = host ?? "the hub";
  const turn = generation === undefined ? "" : `, generation ${generation}`;
  return `${owner}'s ${purpose} key of ${target}${turn}`;
}
