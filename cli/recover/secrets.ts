/** The B2 keys' secrets, as the bundle's opened files hold them. */

/** Keys by their ids, with their secrets. Never print or write any of it. */
export type KeySecrets = ReadonlyMap<string, string>;

/** The keys in `rclone.conf`: one a remote, as credentials/rclone-conf.ts writes them. */
export function secretsOfRclone(content: string): [id: string, secret: string][] {
  return content.split(/^\[.*\]$/m).flatMap((section) => {
    const options = new Map(
      section.split("\n").flatMap((line): [string, string][] => {
        const at = line.indexOf("=");
        return at < 0 ? [] : [[line.slice(0, at).trim(), line.slice(at + 1).trim()]];
      }),
    );
    return pair(options.get("account"), options.get("key"));
  });
}

/** The keys in a host's env file: a pair of variables for each target. */
export function secretsOfEnv(content: string): [id: string, secret: string][] {
  const variables = new Map(
    content.split("\n").flatMap((line): [string, string][] => {
      const at = line.indexOf("=");
      return line.startsWith("#") || at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
  return [...variables].flatMap(([name, value]) => {
    const target = /^(RCLONE_CONFIG_[A-Z0-9]+)_ACCOUNT$/.exec(name)?.[1];
    return target === undefined ? [] : pair(value, variables.get(`${target}_KEY`));
  });
}

function pair(id: string | undefined, secret: string | undefined): [string, string][] {
  return id === undefined || secret === undefined || id === "" || secret === ""
    ? []
    : [[id, secret]];
}
