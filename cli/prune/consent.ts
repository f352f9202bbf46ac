/** The operator's word before anything is removed. */
import { agree } from "../confirm.ts";
import type { PeerServer } from "./places.ts";

/** What is said before, and how it is asked. */
export interface Consent {
  readonly peer: PeerServer;
  /** Given beforehand. */
  readonly yes: boolean;
  /** For which the door may be open. */
  readonly minutes: number;
  readonly say: (line?: string) => void;
}

/** Explains what happens to the real world, and asks. */
export async function agreeToDoor(question: string, options: Consent): Promise<boolean> {
  const { peer, minutes, say, yes } = options;
  say(
    `To do that, a second rest-server that allows removals is started at ${peer.connection.host} for ` +
      `${minutes} minutes at most, reached through SSH alone, and ended again. What is removed there is gone for good.`,
  );
  return await agree(question, yes);
}
