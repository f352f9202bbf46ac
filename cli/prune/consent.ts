/** The operator's word before anything is removed. */
import { confirm } from "@inquirer/prompts";
import { interruption } from "../interruption.ts";
import type { PeerServer } from "./places.ts";

/** What is said before, and how it is asked. */
export interface Consent {
  readonly peer: PeerServer;
  /** Given beforehand. */
  readonly yes: boolean;
  /** For which the door may be open. */
  readonly minutes: number;
  readonly say: (line?: string) => void;
  /** Where a question is shown. */
  readonly prompts: NodeJS.WriteStream;
}

/** Explains what happens to the real world, and asks. */
export async function agree(question: string, options: Consent): Promise<boolean> {
  const { peer, minutes, say, prompts } = options;
  say(
    `To do that, a second rest-server that allows removals is started at ${peer.connection.host} for ` +
      `${minutes} minutes at most, reached through SSH alone, and ended again. What is removed there is gone for good.`,
  );
  if (options.yes) return true;
  const isSure = await confirm(
    { message: question, default: false },
    { signal: interruption, output: prompts },
  );
  if (!isSure) say("Nothing was removed.");
  return isSure;
}
