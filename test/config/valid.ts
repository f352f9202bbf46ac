/** A config that is right, for tests to spoil. */
import type { RawConfig } from "../../config/parse.ts";

export const SSH_KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS";
export const AGE_KEY = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
export const SEED = "0123456789abcdef".repeat(4);

export function validConfig(): Record<string, unknown> {
  return {
    credentialSeed: SEED,
    hub: {
      host: "ursula",
      url: "https://backup.fort.example",
      repositories: "/var/lib/restic-repos",
    },
    hosts: {
      drhorrible: { key: SSH_KEY, sizeGiB: 5 },
      q: { key: AGE_KEY, sizeGiB: 10, generation: 3 },
      ursula: { key: `${SSH_KEY} root@ursula`, sizeGiB: 2 },
    },
    targets: {
      cloud: { type: "b2", bucket: "family-fort-backups" },
      peer: {
        type: "rest-server",
        ssh: { host: "100.64.0.9", hostKey: SSH_KEY },
        listen: "100.64.0.9:8000",
        dataDir: "/srv/fort-offsite",
        maxSizeGiB: 200,
      },
    },
    seal: { format: "age", directory: "../fort-nix/secrets/offsite", operators: [AGE_KEY] },
  };
}

/** The config as Pulumi hands it over. */
export function raw(
  config: Record<string, unknown>,
  isSecret: () => boolean = () => true,
): RawConfig {
  const values = Object.entries(config).map(([key, value]) => [
    `fort-offsite:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return { values: Object.fromEntries(values) as Record<string, string>, isSecret };
}
