/** Where a stack's settings and its state are to be. */
import { UsageError } from "../../hub/errors.ts";
import type { StackOptions } from "../options.ts";
import { findProject, settingsFile } from "../stack.ts";
import { askText, say } from "./prompts.ts";
import { currentBackend, knownStacks, usesPassphrase, type KnownStack } from "./pulumi.ts";

/** A stack's place before it is there. */
export interface Place {
  readonly stack: string;
  readonly project: string;
  readonly file: string;
}

/** Pulumi's rule, without the organisation. */
function problemWithName(name: string): string | undefined {
  return /^[A-Za-z0-9_.-]{1,100}$/.test(name)
    ? undefined
    : `got ${JSON.stringify(name)}, must be a stack's name of letters, digits, dots, hyphens and underscores`;
}

/** Finds the project and the stack's file; asks for the stack's name at a terminal. */
export async function findPlace(
  options: StackOptions,
  given: string | undefined,
  isTerminal: boolean,
): Promise<Place> {
  const project = findProject(options.project);
  const named = options.stack ?? given;
  const stack =
    named ??
    (isTerminal
      ? await askText({
          message: "Name of this installation (Pulumi calls it a stack):",
          default: "prod",
          check: problemWithName,
        })
      : "prod");
  const problem = problemWithName(stack);
  if (problem !== undefined) throw new UsageError(`--stack: ${problem}`);
  return {
    stack,
    project,
    file: settingsFile(project, stack, options),
  };
}

/** Where Pulumi keeps its state. */
export interface Backend {
  readonly url: string;
  /** Whether Pulumi is still to log in there. */
  readonly isNew: boolean;
  /** The stack as the backend has it; undefined where it does not. */
  readonly known: KnownStack | undefined;
}

/** What is proposed. */
export const HOME_BACKEND = "file://~/.fort-offsite";

/**
 * Finds the backend that Pulumi is logged in to, or learns which it shall be.
 *
 * @param wanted - a backend's URL that was given, for when Pulumi is not logged in.
 * @returns undefined where there is none and nobody to ask.
 * @throws UsageError where the program pulumi is missing, or logged in elsewhere than wanted.
 */
export async function findBackend(
  { project, stack }: Place,
  wanted: string | undefined,
  isTerminal: boolean,
): Promise<Backend | undefined> {
  const current = await currentBackend(project);
  if ("url" in current) {
    const known = await knownStacks(project);
    if (known === undefined) {
      throw new UsageError(`Pulumi's backend ${current.url} does not answer. Try: pulumi stack ls`);
    }
    return { url: current.url, isNew: false, known: named(known, stack) };
  }
  const url = wanted ?? (isTerminal ? await askBackend(current.error) : undefined);
  if (url === undefined) return undefined;
  const known = await knownStacks(project, { PULUMI_BACKEND_URL: url });
  if (known === undefined && !url.startsWith("file://")) {
    throw new UsageError(`the backend ${url} does not answer. Log in with: pulumi login ${url}`);
  }
  return { url, isNew: true, known: named(known ?? [], stack) };
}

function named(stacks: readonly KnownStack[], name: string): KnownStack | undefined {
  return stacks.find((each) => each.name === name || each.name.endsWith(`/${name}`));
}

/** What is wrong with a backend that is to be logged in to. */
export function problemWithBackend(url: string): string | undefined {
  return /^(?:file|https?|s3|gs|azblob):\/\/\S+$/.test(url)
    ? undefined
    : `got ${JSON.stringify(url)}, must be a URL such as ${HOME_BACKEND}`;
}

async function askBackend(reason: string): Promise<string> {
  say(
    `\nPulumi is not logged in (${reason}). It keeps what it made, encrypted, in a state: in a folder of\n` +
      "this machine, or anywhere that pulumi login knows. Back that up: the keys of Backblaze are there.",
  );
  return await askText({
    message: "Where to keep the state:",
    default: HOME_BACKEND,
    check: problemWithBackend,
  });
}

/** Whether a passphrase encrypts the secrets of a stack. */
export function needsPassphrase(
  backend: Backend,
  hasOtherProvider: boolean,
  salt: unknown,
): boolean {
  return !hasOtherProvider && (salt !== undefined || usesPassphrase(backend.url));
}
