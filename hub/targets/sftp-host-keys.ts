/**
 * The peers' host keys for rclone, in a file: rclone before 1.75 knows no other way, and without one
 * it would trust any machine. What is in the environment goes before what is in rclone.conf.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Manifest } from "../../config/manifest.ts";
import { knownHostsLine } from "../../credentials/sftp-remotes.ts";

/** The variable of rclone's that names the file, for every remote of type sftp. */
export const KNOWN_HOSTS = "RCLONE_SFTP_KNOWN_HOSTS_FILE";

const written = new Map<string, string>();

/**
 * Pins the host keys of all SFTP targets for every rclone that this process starts from now on. The
 * file goes with the process.
 */
export function pinHostKeys({ targets }: Manifest): void {
  const lines = Object.values(targets).map((target) =>
    target.type === "sftp" ? knownHostsLine(target) : "",
  );
  process.env[KNOWN_HOSTS] = fileWith(lines.join(""));
}

function fileWith(content: string): string {
  const before = written.get(content);
  if (before !== undefined) return before;
  const folder = mkdtempSync(join(tmpdir(), "offsite-known-hosts-"));
  // There is no secret in it, and a drill may run restic as somebody else.
  chmodSync(folder, 0o755);
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "known_hosts");
  writeFileSync(file, content, { mode: 0o644, flag: "wx" });
  written.set(content, file);
  return file;
}
