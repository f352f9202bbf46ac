/** Whom a rest-server lets in: every host with what is in force, and nobody else. */
import { randomBytes } from "node:crypto";
import pLimit from "p-limit";
import { derivePassword, jointGeneration, type PasswordOwner } from "../../credentials/derive.ts";
import { counted } from "../../hub/format.ts";
import { discard, type RestConnection } from "../../hub/targets/rest-client.ts";
import { StopError } from "../../hub/targets/target.ts";
import { interruption } from "../interruption.ts";
import type { Check } from "./checks.ts";

/** One host's credentials at a server. */
export interface HostCredential {
  readonly host: string;
  /** In force. */
  readonly generation: number;
  /** Secret. */
  readonly password: string;
  /**
   * Those around it, which must be refused: replaced ones, and the one to come. A revocation takes
   * two steps, so that the one before the last is tried too.
   */
  readonly others: readonly { readonly generation: number; readonly password: string }[];
}

const IN_FLIGHT = 4;

/** What every host holds at a target. */
export function credentialsOf(
  seed: string,
  target: { readonly name: string; readonly generation: number },
  hosts: Readonly<Record<string, { readonly generation: number }>>,
): HostCredential[] {
  return Object.entries(hosts).map(([host, each]) => {
    const owner: PasswordOwner = { at: "target", target: target.name, host };
    const generation = jointGeneration(each.generation, target.generation);
    const around = [generation - 2, generation - 1, generation + 1].filter((other) => other > 0);
    return {
      ...{ host, generation },
      password: derivePassword(seed, owner, generation),
      others: around.map((other) => ({
        generation: other,
        password: derivePassword(seed, owner, other),
      })),
    };
  });
}

/**
 * Tries all of them, and a stranger.
 *
 * @param repair - what puts right what was changed at the peer.
 * @returns the hosts that are let in.
 * @throws Error where the server does not answer.
 */
export async function tryCredentials(
  connection: RestConnection,
  credentials: readonly HostCredential[],
  repair: string,
  check: Check,
): Promise<ReadonlySet<string>> {
  const limit = pLimit(IN_FLIGHT);
  const remedy = `${repair}; if that finds nothing to do, restart the container at the peer`;
  const letIn = new Set<string>();
  const tried = credentials.map((each) =>
    limit(async () => {
      interruption.throwIfAborted();
      const { host, generation } = each;
      if (await isLetIn(connection, host, each.password)) letIn.add(host);
      else {
        check.error(
          `the server refuses the credential of ${host} that is in force (generation ${generation}). ${remedy}`,
        );
      }
      for (const other of each.others) {
        if (!(await isLetIn(connection, host, other.password))) continue;
        const which = other.generation < generation ? "was replaced" : "is to come";
        check.error(
          `the server accepts the credential of ${host} of generation ${other.generation}, which ${which}: ${generation} is in force. ${remedy}`,
        );
      }
    }),
  );
  await Promise.all(tried);
  const [first] = credentials;
  for (const user of ["nobody", ...(first === undefined ? [] : [first.host])]) {
    if (await isLetIn(connection, user, randomBytes(16).toString("hex"))) {
      check.error(`the server lets a stranger in, as ${user} with any password. ${remedy}`);
    }
  }
  return letIn;
}

/** What was seen, in a few words. */
export function seenOf(letIn: ReadonlySet<string>): string {
  return `${counted(letIn.size, "host")} let in, others refused`;
}

async function isLetIn(
  connection: RestConnection,
  user: string,
  password: string,
): Promise<boolean> {
  let response;
  for (let attempt = 0; ; attempt += 1) {
    try {
      response = await connection.send(user, password, { method: "HEAD", path: "config" });
      break;
    } catch (error) {
      interruption.throwIfAborted();
      if (attempt + 1 >= connection.patience.attempts) {
        throw new StopError("target", connection.describe(error));
      }
      await connection.pause(attempt);
    }
  }
  await discard(response);
  const { statusCode } = response;
  if (statusCode === 200 || statusCode === 404) return true;
  // rest-server says 401 to a stranger, and to a user who asks for another's repository.
  if (statusCode === 401 || statusCode === 403) return false;
  throw new Error(
    `the server answered ${statusCode}, which rest-server does not: is it something else that answers there?`,
  );
}
