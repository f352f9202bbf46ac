/** Whether every host has a repository, and a way back, at every target. */
import { error, warning, type ResourceFacts, type StackRule, type Verdict } from "../model.ts";
import { keyNameOf } from "../names.ts";
import { B2_KEY, BUNDLE, isCloudflareToken, targetTypeOf } from "../types.ts";
import { asList, isObject, isUnseen, shown } from "../values.ts";

export const noHostLeftOut: StackRule = {
  name: "no-host-left-out",
  description: "Every host has a repository of its own at every target",
  of: "stack",
  judge: (resources) => {
    const bundles = resources.filter(({ type }) => type === BUNDLE);
    const targets = resources.filter(({ type }) => targetTypeOf(type) !== undefined);
    const known = bundles.flatMap(({ inputs }) => asList(inputs.hosts) ?? []).filter(isName);
    const elsewhere = targets.flatMap(({ inputs }) => Object.keys(repositoriesOf(inputs) ?? {}));
    const hosts = [...new Set([...known, ...elsewhere])].sort();
    const blind = bundles
      .filter(({ inputs }) => asList(inputs.hosts) === undefined)
      .map((bundle) => {
        const message = `its hosts are ${shown(bundle.inputs.hosts)}, so that only the targets can be compared with each other`;
        return warning(bundle, "the bundle", message);
      });
    const notSealed =
      bundles.length === 0 || blind.length > 0
        ? []
        : elsewhere.filter((host) => !known.includes(host));
    return [
      ...targets.flatMap((target) => [
        ...repositoryProblems(target, hosts),
        ...restoreProblems(target, resources, hosts),
      ]),
      ...[...new Set(notSealed)].sort().map((host): Verdict => ({
        severity: "error",
        subject: host,
        message:
          "it has a repository at a target and no file in the bundle, so that it gets no credentials. Add it to hosts",
      })),
      ...blind,
    ];
  },
};

function isName(value: unknown): value is string {
  return typeof value === "string" && !isUnseen(value);
}

/** The repositories' URLs by host; undefined where they cannot be seen. */
function repositoriesOf({ manifest }: ResourceFacts["inputs"]) {
  const repositories = isObject(manifest) ? manifest.repositories : undefined;
  return isObject(repositories) && !isUnseen(repositories) ? repositories : undefined;
}

function repositoryProblems(target: ResourceFacts, hosts: readonly string[]): Verdict[] {
  const repositories = repositoriesOf(target.inputs);
  if (repositories === undefined) {
    const { manifest } = target.inputs;
    const message = `its repositories cannot be seen (manifest is ${shown(manifest)}), so that nobody knows whether a host is left out. Give the component its manifest as an input`;
    return [error(target, target.name, message)];
  }
  const left = hosts.filter((host) => !Object.hasOwn(repositories, host));
  const missing = left.map((host) =>
    error(
      target,
      target.name,
      `the host "${host}" has no repository there: were the other places lost, all of it would be. Every host is to be at every target`,
    ),
  );
  // By SFTP every host is a user of its own, who sees its repository where the others see theirs.
  if (targetTypeOf(target.type) === "Sftp") return missing;
  const byUrl = new Map<string, string[]>();
  for (const [host, url] of Object.entries(repositories)) {
    if (typeof url === "string") byUrl.set(url, [...(byUrl.get(url) ?? []), host]);
  }
  const shared = [...byUrl]
    .filter(([url, of]) => of.length > 1 && !isUnseen(url))
    .map(([, of]) =>
      error(
        target,
        target.name,
        `${of.join(" and ")} share one repository, must have one each: who holds one host's credentials would read the other's`,
      ),
    );
  return [...missing, ...shared];
}

/** Hosts without a key of their own that reads at a target where keys are resources. */
function restoreProblems(
  target: ResourceFacts,
  resources: readonly ResourceFacts[],
  hosts: readonly string[],
): Verdict[] {
  const type = targetTypeOf(target.type);
  if (type !== "B2" && type !== "R2") return [];
  const withKey = resources
    .filter((each) => each.type === B2_KEY || isCloudflareToken(each.type))
    .map(({ name }) => keyNameOf(name))
    .filter(({ target: of, purpose }) => of === target.name && purpose === "restore")
    .map(({ host }) => host);
  return hosts
    .filter((host) => !withKey.includes(host))
    .map((host) =>
      error(
        target,
        target.name,
        `the host "${host}" has no key to restore with (${target.name}-restore-${host}-g…): its backups are there, and it cannot read them`,
      ),
    );
}
