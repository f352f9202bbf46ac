/** Questions on the terminal: standard output stays free, an interruption ends every one. */
import { confirm, input, password, select } from "@inquirer/prompts";
import { interruption } from "../interruption.ts";

const context = { signal: interruption, output: process.stderr };

/** Shows a line, or several. */
export function say(text: string): void {
  console.error(text);
}

/** Asks until the answer is right. */
export async function askText(question: {
  readonly message: string;
  readonly default?: string | undefined;
  /** What is wrong with an answer; undefined where nothing is. */
  readonly check: (answer: string) => string | undefined;
}): Promise<string> {
  const { message, default: proposal } = question;
  const answer = await input(
    {
      message,
      ...(proposal !== undefined && proposal !== "" && { default: proposal }),
      validate: (text) => question.check(text.trim()) ?? true,
    },
    context,
  );
  return answer.trim();
}

/** Asks for what must not be seen. */
export async function askSecret(
  message: string,
  check: (answer: string) => string | undefined,
): Promise<string> {
  return await password({ message, mask: "*", validate: (text) => check(text) ?? true }, context);
}

/** Asks yes or no. */
export async function askYes(message: string, proposal: boolean): Promise<boolean> {
  return await confirm({ message, default: proposal }, context);
}

/** Asks for one of several. */
export async function askOne<T extends string>(
  message: string,
  choices: readonly { readonly value: T; readonly name: string }[],
  proposal?: T,
): Promise<T> {
  return await select<T>(
    { message, choices: [...choices], ...(proposal !== undefined && { default: proposal }) },
    context,
  );
}
