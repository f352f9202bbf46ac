/** From the config that Pulumi hands over to a checked and typed one. */
import { crossProblems } from "./cross.ts";
import { generationProblems } from "./generations.ts";
import { InputError, problemsOf, type Problem } from "./problems.ts";
import type { StackRecord } from "./record.ts";
import { removalProblems } from "./removal.ts";
import { SECRET_KEYS, stackConfigSchema, type StackConfig } from "./stack.ts";

/** The namespace of the stack's config in `Pulumi.<stack>.yaml`. */
export const NAMESPACE = "fort-offsite";

/** The config of a stack as Pulumi has it. */
export interface RawConfig {
  /** Every key with its namespace, and its value: a string, or JSON. */
  readonly values: Readonly<Record<string, string>>;
  /** Whether a key's value, or a part of it, is encrypted in the stack's file. */
  readonly isSecret: (key: string) => boolean;
}

const STRING_KEYS: ReadonlySet<string> = new Set(["credentialSeed", "sshPrivateKey"]);
const SECRETS: ReadonlySet<string> = new Set(SECRET_KEYS);

function decode(key: string, value: string): unknown {
  if (STRING_KEYS.has(key)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function isSecretPath(path: readonly string[]): boolean {
  return path[0] !== undefined && SECRETS.has(path[0]);
}

/** Whether a problem is at a path or above it. */
function covers(problem: Problem, path: readonly string[]): boolean {
  return problem.path.every((name, index) => path[index] === name);
}

/**
 * Checks a stack's config.
 *
 * @param raw - the whole config; other namespaces are left alone.
 * @param stack - the stack's name, for messages and for the rules on names.
 * @param before - what the last update left, which generations must follow.
 * @returns the config with its defaults.
 * @throws InputError with every problem at once: place, what was given, what is allowed.
 */
export function parseStackConfig(raw: RawConfig, stack: string, before?: StackRecord): StackConfig {
  const prefix = `${NAMESPACE}:`;
  const config = Object.fromEntries(
    Object.entries(raw.values)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), decode(key.slice(prefix.length), value)]),
  );
  const parsed = stackConfigSchema.safeParse(config);
  const own = parsed.success ? [] : problemsOf(parsed.error, config, isSecretPath);
  // What is between values is reported only where the values themselves are right, and a secret
  // that is in the open has to be made anew whatever it is: one mistake, one line.
  const exposed = SECRET_KEYS.filter((key) => key in config && !raw.isSecret(`${prefix}${key}`));
  const problems: Problem[] = [
    ...own.filter(({ path }) => !exposed.some((key) => key === path[0])),
    ...exposed.map((key) => ({
      path: [key],
      message: `is in clear text. Take the value for leaked, make a new one and set it with: pulumi config set --secret ${prefix}${key}`,
    })),
    ...crossProblems(config, stack).filter(({ path }) => !own.some((each) => covers(each, path))),
  ];
  if (parsed.success) {
    problems.push(...generationProblems(parsed.data, before));
    problems.push(...removalProblems(parsed.data, before));
  }
  if (!parsed.success || problems.length > 0) {
    throw new InputError(`Invalid stack config "${stack}"`, problems);
  }
  return parsed.data;
}
