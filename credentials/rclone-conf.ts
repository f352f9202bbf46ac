/** `rclone.conf`: INI sections, one per remote. */

/** One remote of rclone. */
export interface RcloneRemote {
  readonly name: string;
  /** Options by their names in rclone's documentation, `type` included. */
  readonly options: Readonly<Record<string, string>>;
}

/**
 * Renders rclone's config file.
 *
 * @throws RangeError when a name or value would not survive the format; the value is not shown.
 */
export function rcloneConf(remotes: readonly RcloneRemote[]): string {
  return remotes
    .map(({ name, options }) => {
      if (!/^[\w][\w-]*$/.test(name)) {
        throw new RangeError(`"${name}" cannot be the name of an rclone remote`);
      }
      const lines = Object.entries(options).map(([key, value]) => {
        if (/[\r\n]/.test(value) || value !== value.trim() || value === "") {
          throw new RangeError(`The option ${key} of the remote "${name}" has no valid value`);
        }
        return `${key} = ${value}\n`;
      });
      return `[${name}]\n${lines.join("")}`;
    })
    .join("\n");
}
