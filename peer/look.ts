/** A look at a peer: what is there, against what was put there. Nothing is changed by it. */
import { remembered, type StackRecord, type TargetRecord } from "../config/record.ts";
import type { StackConfig } from "../config/stack.ts";
import { rememberedDigests, withDigests } from "../config/targets/digests.ts";
import type { HashMemory } from "../credentials/htpasswd.ts";
import { messageOf } from "../hub/errors.ts";
import { excerpt } from "../hub/format.ts";
import { driftOf } from "./drift.ts";
import { parseFacts, type PeerFacts } from "./facts.ts";
import { asRoot, lookScript, type PeerServer } from "./script.ts";
import { peerConnection, peerServer } from "./server.ts";
import { lookAtSftp, type SftpLook } from "./sftp/look.ts";
import { sftpConnection, sftpPlace } from "./sftp/place.ts";
import { runOnPeer, sweepPrivateFolders, type SshConnection } from "./ssh.ts";

/** What a look found. */
export type Look =
  | {
      readonly reached: false;
      /** On one line. */
      readonly reason: string;
    }
  | {
      readonly reached: true;
      /** What is not as it was put there, and what the next `pulumi up` puts right: a phrase each. */
      readonly drift: readonly string[];
      /** What is wrong and only a person can put right: a phrase each, with the way out. */
      readonly manual: readonly string[];
      /** What is as it may be and worth knowing. */
      readonly notices: readonly string[];
      readonly facts: PeerFacts;
    };

/** What was seen at a peer, whatever runs there. */
export type Sighting = Look | SftpLook;

/** SHA-256 of the files on a peer, in hex. */
export type PeerRecord = Extract<TargetRecord, { type: "rest-server" }>;

/** How a look is made. */
export interface LookOptions {
  /** What was put there last: a change of the settings that is not yet made is no drift. */
  readonly installed?: PeerRecord | undefined;
  /** Whether to count what takes long: used bytes, and every file's owner. True when left out. */
  readonly thorough?: boolean;
  readonly signal?: AbortSignal;
}

/** Seconds after which a peer that let us in, and says nothing, is given up. */
const PATIENCE = { quick: 120, thorough: 600 };

/** Looks at one peer. It never throws for what the peer is or does not do. */
export async function lookAtPeer(
  connection: SshConnection,
  server: PeerServer,
  options: LookOptions = {},
): Promise<Look> {
  const thorough = options.thorough ?? true;
  const seconds = thorough ? PATIENCE.thorough : PATIENCE.quick;
  const patience = AbortSignal.timeout(seconds * 1000);
  const { signal } = options;
  try {
    const { exitCode, stdout, stderr } = await runOnPeer(
      { perDialTimeout: 10, ...connection },
      asRoot("look"),
      {
        input: lookScript(server, thorough),
        signal: signal === undefined ? patience : AbortSignal.any([signal, patience]),
      },
    );
    const facts = exitCode === 0 ? parseFacts(stdout) : undefined;
    if (facts !== undefined) return { reached: true, facts, ...driftOf(facts, server, options) };
    const last = stderr.trim().split("\n").at(-1) ?? "";
    return { reached: false, reason: `its shell ended with ${exitCode}: ${excerpt(last)}` };
  } catch (error) {
    signal?.throwIfAborted();
    const late = patience.aborted ? `gave no answer within ${seconds} seconds` : undefined;
    return { reached: false, reason: late ?? messageOf(error) };
  }
}

/**
 * Looks at all peers at once that an update has put a server on, for the program: to be awaited
 * before the targets are made, which take the result as `looks` of their context.
 *
 * @param before - the last update's record; without one there is nothing to compare with.
 * @param hashes - those that need not be reckoned again.
 * @returns the looks by target; none at all where the settings turn them off.
 */
export async function lookAtPeers(
  stack: string,
  config: StackConfig,
  before: StackRecord | undefined,
  hashes: HashMemory,
): Promise<ReadonlyMap<string, Sighting>> {
  if (!config.lookForDrift || before === undefined) return new Map();
  const { hosts, credentialSeed: seed, sshPrivateKey } = config;
  const looks = Object.entries(config.targets).map(async ([name, target]) => {
    const installed = remembered(before.kept, name);
    if (target.type === "sftp" && installed?.type === "sftp") {
      const place = sftpPlace({ stack, name, target, hosts, seed });
      const connection = sftpConnection(target, sshPrivateKey);
      return [name, await lookAtSftp(connection, place, { thorough: false })] as const;
    }
    if (target.type !== "rest-server" || installed?.type !== "rest-server") return undefined;
    const pinned = withDigests(target, rememberedDigests(installed));
    const server = peerServer({ stack, name, target: pinned, hosts, seed, hashes });
    const connection = peerConnection(target, sshPrivateKey);
    return [name, await lookAtPeer(connection, server, { installed, thorough: false })] as const;
  });
  // What a killed run may have left: a private key is in it.
  if (looks.length > 0) await sweepPrivateFolders();
  const found = await Promise.all(looks);
  return new Map<string, Sighting>(found.filter((look) => look !== undefined));
}
