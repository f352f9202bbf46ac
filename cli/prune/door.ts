/**
 * The door at a peer, from the operator's side: opened for a piece of work, kept open by a sign of
 * life every few seconds, closed at the end whatever happens, and proven to be closed.
 */
import { messageOf } from "../../hub/errors.ts";
import { doorCommand, doorScript, parseLook, type DoorPlace, type Look } from "../../peer/door.ts";
import { forward } from "../../peer/forward.ts";
import {
  reasonOf,
  runOnPeer,
  sshArguments,
  UnreachableError,
  wasLetIn,
  withPrivateFolder,
} from "../../peer/ssh.ts";
import { interruption } from "../interruption.ts";
import { lastLine, Session } from "./session.ts";

/** How often the peer is asked whether the door is closed, and the pause between. */
const CHECKS = 4;
const CHECK_PAUSE_MS = 5_000;
const CHECK_MS = 80_000;

/** The door while it is open. */
export interface Door {
  /** At 127.0.0.1 of this machine; it leads to the door. */
  readonly port: number;
  /** Of every host that it was opened for, until it is closed. Secret. */
  readonly password: string;
  /** Aborts when the command is interrupted, and when the door is gone. */
  readonly signal: AbortSignal;
}

/** What the door is opened for. */
export interface DoorOptions {
  readonly hosts: readonly string[];
  readonly minutes: number;
  /** Told of each step. */
  readonly say: (line: string) => void;
  /** Tries through the server itself whether it refuses removals again; throws where it does not. */
  readonly tryRemoval: () => Promise<void>;
}

/** The door could not be proven to be closed. */
export class DoorError extends Error {
  override name = "DoorError";
}

/**
 * Looks at a peer's server, removes doors that were left behind, and lists when snapshots arrived.
 *
 * @throws Error where the server is not there or not ours.
 */
export async function lookAtPeer(place: DoorPlace, hosts: readonly string[]): Promise<Look> {
  const result = await runOnPeer(place.connection, doorCommand(place.connection), {
    input: doorScript(place, { mode: "look", hosts }),
    signal: interruption,
  });
  const look = result.exitCode === 0 ? parseLook(result.stdout) : undefined;
  if (look !== undefined) return look;
  throw new Error(`the peer: ${lastLine(result.stderr) || "its answer is cut short"}`);
}

/**
 * Opens the door, does the work, closes the door and proves it, also where the work fails or is
 * interrupted.
 *
 * @throws DoorError where the door is not proven to be closed.
 */
export async function throughDoor<T>(
  place: DoorPlace,
  options: DoorOptions,
  work: (door: Door) => Promise<T>,
): Promise<T> {
  interruption.throwIfAborted();
  let port: number | undefined;
  let outcome: { value: T } | { error: unknown };
  let isClosed = false;
  try {
    const value = await withPrivateFolder(place.connection, [], async (folder) => {
      const session = new Session(
        place,
        options,
        sshArguments(folder, doorCommand(place.connection)),
      );
      try {
        port = await session.opened(async () => reasonFrom(await folder.log(), place));
        options.say(
          `The door is open, at ${place.connection.host}'s loopback address, port ${port}.`,
        );
        return await workThrough(place, port, session, work);
      } finally {
        options.say("Closing the door …");
        isClosed = await session.close();
      }
    });
    outcome = { value };
  } catch (error) {
    outcome = { error };
  }
  await prove(place, options, port, isClosed, outcome);
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

/**
 * Closes the door from a connection of its own, and proves it.
 *
 * @throws DoorError where that is not possible.
 */
export async function closeDoor(
  place: DoorPlace,
  options: Pick<DoorOptions, "say" | "tryRemoval">,
): Promise<void> {
  await prove(place, { ...options, hosts: [], minutes: 0 }, undefined, false, undefined);
}

async function workThrough<T>(
  place: DoorPlace,
  port: number,
  session: Session,
  work: (door: Door) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.any([interruption, session.ended]);
  const way = await forward(place.connection, "127.0.0.1", port, { signal });
  try {
    return await work({ port: way.port, password: session.password, signal });
  } catch (error) {
    // What happened to the door explains better than what that did to a request.
    signal.throwIfAborted();
    const broken = way.failure();
    throw broken === undefined ? error : new Error(broken, { cause: error });
  } finally {
    await way.close();
  }
}

/** Proves that the door is closed. Here an interruption is not heeded: it is what follows one. */
async function prove(
  place: DoorPlace,
  options: DoorOptions,
  port: number | undefined,
  isClosed: boolean,
  outcome: { value: unknown } | { error: unknown } | undefined,
): Promise<void> {
  try {
    // Without an outcome nothing was opened from here: one look tells.
    if (!isClosed) await askWhetherClosed(place, port, outcome === undefined ? 1 : CHECKS);
    options.say("The door is closed: its container is gone, and nobody listens at its port.");
    await options.tryRemoval();
    options.say("The peer's server refuses removals (403), tried with a host's own credential.");
  } catch (error) {
    const before =
      outcome !== undefined && "error" in outcome ? `${messageOf(outcome.error)}. And ` : "";
    const latest =
      options.minutes === 0
        ? ""
        : `. It ends by itself without a sign of life from here within a minute, and after ${options.minutes} minutes in any case`;
    throw new DoorError(
      `${before}the door could not be proven to be closed: ${messageOf(error)}${latest}. Look again with --close`,
      { cause: error },
    );
  }
}

async function askWhetherClosed(
  place: DoorPlace,
  port: number | undefined,
  attempts: number,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { exitCode, stdout, stderr } = await runOnPeer(
        place.connection,
        doorCommand(place.connection),
        {
          input: doorScript(place, { mode: "check", port }),
          signal: AbortSignal.timeout(CHECK_MS),
        },
      );
      if (exitCode === 0 && stdout.split("\n").includes("closed")) return;
      throw new Error(lastLine(stderr) || "the peer gave no answer");
    } catch (error) {
      if (attempt === attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, CHECK_PAUSE_MS));
    }
  }
}

function reasonFrom(log: string, place: DoorPlace): string | undefined {
  return wasLetIn(log) ? undefined : new UnreachableError(reasonOf(log, place.connection)).message;
}
