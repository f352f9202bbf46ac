import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes a bundle's manifest to a new folder, as it differs from a good one. */
export function writeBundle(
  folder: string,
  more: Record<string, unknown> = {},
  suffix = ".age",
): string {
  const host = (host: string) => ({
    repository: `rest:https://backup.fort.example/${host}/`,
    environment: `hosts/${host}.env${suffix}`,
  });
  const manifest = {
    version: 1,
    hub: { host: "ursula", url: "https://backup.fort.example/", repositories: "/srv/restic" },
    hosts: { drhorrible: host("drhorrible"), ursula: host("ursula") },
    targets: { cloud: { type: "b2" }, peer: { type: "rest-server" } },
    ...more,
  };
  mkdirSync(folder);
  writeFileSync(join(folder, "offsite.json"), JSON.stringify(manifest));
  return folder;
}
