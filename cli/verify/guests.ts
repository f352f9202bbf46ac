/** Whom a guest's server at the hub lets in, and what it lets a guest do. */
import { randomBytes } from "node:crypto";
import { guestBase, type GuestConfig } from "../../config/guests.ts";
import type { HubConfig } from "../../config/stack.ts";
import { derivePassword } from "../../credentials/derive.ts";
import { guestUser } from "../../credentials/htpasswd.ts";
import { messageOf } from "../../hub/errors.ts";
import { interruption } from "../interruption.ts";
import { Skipped, type Check, type Checks } from "./checks.ts";

/** A guest and where it is served. */
export interface GuestVerification {
  readonly name: string;
  /** With the generation in force. */
  readonly guest: GuestConfig;
  readonly hub: Pick<HubConfig, "host" | "guestsUrl">;
  /** Secret. */
  readonly seed: string;
}

const PATIENCE_MS = 10_000;

/** Who asks, and with what. */
interface Credential {
  readonly user: string;
  readonly password: string;
}

/**
 * Tries a guest's server from this machine. That it is not reached from here is a notice: guests may
 * come through a tunnel of theirs.
 */
export async function verifyGuest(options: GuestVerification, checks: Checks): Promise<void> {
  await checks.make("server", (check) => tryServer(options, check));
}

async function tryServer(
  { name, guest, hub, seed }: GuestVerification,
  check: Check,
): Promise<string> {
  const url = `${guestBase(hub, guest)}${name}/`;
  const { generation, revoked } = guest;
  const credential = (of: number): Credential => ({
    user: guestUser(name, of),
    password: derivePassword(seed, { at: "guest", guest: name }, of),
  });
  const ask = async (method: string, path: string, who: Credential): Promise<number> => {
    const authorization = `Basic ${Buffer.from(`${who.user}:${who.password}`).toString("base64")}`;
    const signal = AbortSignal.any([interruption, AbortSignal.timeout(PATIENCE_MS)]);
    try {
      const response = await fetch(url + path, {
        ...{ method, signal, redirect: "manual", headers: { authorization } },
      });
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      interruption.throwIfAborted();
      const { cause } = error as Error;
      const reason = messageOf(cause ?? error) || "no answer";
      check.notice(`${url} is not reached from here (${reason}): nothing was tried`);
      throw new Skipped("not reached from here");
    }
  };

  const remedy = `Deploy ${hub.host}`;
  const answer = await ask("HEAD", "config", credential(generation));
  if (answer === 401) {
    check.error(
      `the server refuses the guest's credential of generation ${generation}, which is in force. ${remedy}`,
    );
  } else if (answer !== 200 && answer !== 404) {
    throw new Error(`${url} answered ${answer}, which rest-server does not: what is it?`);
  }
  const gone = [revoked, revoked - 1].filter((each) => each > 0);
  for (const each of gone) {
    if ((await ask("HEAD", "config", credential(each))) === 401) continue;
    check.error(
      `the server still accepts the credential of generation ${each}, which is revoked. ${remedy} NOW`,
    );
  }
  const stranger = { user: guestUser(name, generation), password: randomBytes(16).toString("hex") };
  if ((await ask("HEAD", "config", stranger)) !== 401) {
    check.error(`the server lets a stranger in, with any password. ${remedy}, and look why`);
  }
  // Of a file that there is not: one that deletes says so all the same.
  const none = `snapshots/${"0".repeat(64)}`;
  if (answer !== 401 && (await ask("DELETE", none, credential(generation))) !== 403) {
    check.error(
      `the server deletes: it is not append-only. Is ${name} being pruned (GUEST_MAY_DELETE, see docs/guests.md)? End that; else ${remedy.toLowerCase()}`,
    );
  }
  return `lets generation ${generation} in, and refuses ${gone.length > 0 ? "what is revoked, " : ""}strangers and deletion`;
}
