/** Where the comment goes: GitHub and Forgejo name the same things alike in a workflow's environment. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { UsageError } from "../../hub/errors.ts";

/** A pull request at a forge, and who comments there. */
export interface Forge {
  /** The API's base URL, without a slash at its end. */
  readonly api: string;
  /** `owner/name`. */
  readonly repository: string;
  readonly pullRequest: number;
  readonly token: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

const eventSchema = z.object({
  pull_request: z
    .object({ number: z.int().min(1).optional(), head: z.object({ sha: z.string() }).optional() })
    .optional(),
});

/** What the event that started the workflow says of the pull request; nothing outside of one. */
export function eventOf(env: Environment): { pullRequest?: number; commit?: string } {
  const file = env.GITHUB_EVENT_PATH ?? "";
  if (file === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return {};
  }
  const event = eventSchema.safeParse(value).data?.pull_request;
  const commit = event?.head?.sha;
  return {
    ...(event?.number !== undefined && { pullRequest: event.number }),
    // A commit's name and nothing else: it is shown.
    ...(commit !== undefined && /^[0-9a-f]{40,64}$/.test(commit) && { commit }),
  };
}

/**
 * Finds the pull request that the environment speaks of.
 *
 * @param pullRequest - its number, when it is not that of the event.
 * @throws UsageError with all that is missing.
 */
export function forgeFrom(env: Environment, pullRequest = eventOf(env).pullRequest): Forge {
  const problems: string[] = [];
  const read = (name: string, pattern: RegExp, meaning: string): string => {
    const value = env[name] ?? "";
    if (!pattern.test(value)) {
      problems.push(`${name} ${value === "" ? "is not set" : "is wrong"}: ${meaning}`);
    }
    return value;
  };
  const api = read(
    "GITHUB_API_URL",
    /^https?:\/\/[^\s?#]+$/,
    "the API's URL, as https://api.github.com or https://<forgejo>/api/v1",
  );
  const repository = read("GITHUB_REPOSITORY", /^[\w.-]+\/[\w.-]+$/, "owner/name");
  const token = read("GITHUB_TOKEN", /^[\x21-\x7e]+$/, "a token that may comment");
  if (pullRequest === undefined) {
    problems.push("the event is none of a pull request: name one with --pull-request");
  }
  if (problems.length > 0 || pullRequest === undefined) {
    throw new UsageError(`--post: ${problems.join("; ")}`);
  }
  return { api: api.replace(/\/+$/, ""), repository, pullRequest, token };
}
