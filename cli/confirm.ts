/** The question before a command changes the real world. */
import { confirm } from "@inquirer/prompts";
import { UsageError } from "../hub/errors.ts";
import { interruption } from "./interruption.ts";

/**
 * Asks whether to go on.
 *
 * @param isAgreed - whether `--yes` was given.
 * @throws UsageError without a terminal and without `--yes`.
 */
export async function agree(question: string, isAgreed: boolean): Promise<boolean> {
  if (isAgreed) return true;
  if (!process.stdin.isTTY) {
    throw new UsageError(
      "nothing was changed: there is no terminal to ask on. Add --yes to go on without a question",
    );
  }
  return await confirm(
    { message: question, default: false },
    { signal: interruption, output: process.stderr },
  );
}
