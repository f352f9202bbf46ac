/**
 * Environment files that mean the same to systemd's `EnvironmentFile=`, to a POSIX shell and to
 * `docker --env-file`: one assignment per line, no quoting needed.
 */

/** One assignment, or a comment above the ones that follow. */
export type EnvLine = readonly [name: string, value: string] | { readonly comment: string };

const PLAIN = /^[A-Za-z0-9_./:@%+=,[\]-]*$/;

/**
 * Renders an environment file.
 *
 * @throws RangeError when a name is no identifier or a value has characters that the three readers
 * take differently; the value is not shown.
 */
export function envFile(lines: readonly EnvLine[]): string {
  return lines
    .map((line) => {
      if ("comment" in line) return `# ${line.comment.replaceAll(/[\r\n]+/g, " ")}\n`;
      const [name, value] = line;
      if (!/^[A-Z][A-Z0-9_]*$/.test(name)) throw new RangeError(`"${name}" is no variable's name`);
      if (!PLAIN.test(value)) throw new RangeError(`The value of ${name} would need quoting`);
      return `${name}=${value}\n`;
    })
    .join("");
}
