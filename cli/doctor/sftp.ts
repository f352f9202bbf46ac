/** Whether a peer is ready for an SFTP target: asked of the installation itself, which changes nothing. */
import type { SftpTargetConfig, StackConfig } from "../../config/stack.ts";
import { messageOf } from "../../hub/errors.ts";
import { excerpt, printable } from "../../hub/format.ts";
import { asRoot } from "../../peer/script.ts";
import { sftpConnection, sftpPlace } from "../../peer/sftp/place.ts";
import { sftpScript } from "../../peer/sftp/script.ts";
import { runOnPeer } from "../../peer/ssh.ts";
import { interruption } from "../interruption.ts";
import type { Check } from "./report.ts";

const PATIENCE_MS = 60_000;

/** Logs in to the peer as the update will, and has it say what is in the way. */
export async function checkSftpPeer(options: {
  readonly stack: string;
  readonly name: string;
  readonly target: SftpTargetConfig;
  readonly config: StackConfig;
}): Promise<Check[]> {
  const { stack, name, target, config } = options;
  const area = `peer (${name})`;
  const login = { area, name: "SSH login" };
  const place = `${target.ssh.user}@${target.ssh.host}`;
  const { hosts, credentialSeed: seed, sshPrivateKey } = config;
  try {
    const { exitCode, stderr } = await runOnPeer(
      sftpConnection(target, sshPrivateKey),
      asRoot("check"),
      {
        input: sftpScript(sftpPlace({ stack, name, target, hosts, seed })),
        signal: AbortSignal.any([interruption, AbortSignal.timeout(PATIENCE_MS)]),
      },
    );
    const ok: Check = { ...login, state: "ok", found: `${place}, host key as pinned` };
    const ready = { area, name: "ready for SFTP" };
    if (exitCode === 0) return [ok, { ...ready, state: "ok", found: "nothing is in the way" }];
    const problems = stderr.split("\n").filter((line) => line.startsWith("  "));
    const lines = problems.length > 0 ? problems : [excerpt(stderr.trim())];
    return [ok, ...lines.map((line): Check => ({ ...ready, state: "wrong", ...parts(line) }))];
  } catch (error) {
    interruption.throwIfAborted();
    const todo = "Bring the tunnel up, and see whether that machine runs and lets you in";
    return [{ ...login, state: "wrong", found: messageOf(error), todo }];
  }
}

/** A line of the installation's: what is wrong, then what to do about it. */
function parts(line: string): { found: string; todo?: string } {
  const [found = "", ...rest] = printable(line.trim()).split(". ");
  return rest.length === 0 ? { found } : { found, todo: rest.join(". ") };
}
