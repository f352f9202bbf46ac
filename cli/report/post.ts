/**
 * Keeps one comment at a pull request: GitHub's API and Forgejo's are the same for that. A comment is
 * taken for ours only where this token's own account wrote it: whoever else writes the marker could
 * change what stands there afterwards.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fetch } from "undici";
import { z } from "zod";
import { excerpt } from "../../hub/format.ts";
import { messageOf } from "../../hub/errors.ts";
import type { Forge } from "./forge.ts";

const commentSchema = z.object({
  id: z.int(),
  body: z.string().nullish(),
  html_url: z.string().optional(),
  user: z.object({ login: z.string() }).nullish(),
});

type Comment = z.infer<typeof commentSchema>;

/** Under which the forges' own tokens write, which may not ask who they are. */
const BOTS: ReadonlySet<string> = new Set([
  "github-actions[bot]",
  "forgejo-actions",
  "gitea-actions",
]);

/** What is tried again: the forge's own failures, and "too many requests". */
const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

const TRIES = 4;
const PAGES = 100;

/** How it was done. */
export interface Posted {
  readonly did: "created" | "updated" | "kept";
  readonly url: string | undefined;
}

/** How to wait, for tests. */
export interface PostOptions {
  readonly signal?: AbortSignal;
  /** Before the first repetition, in milliseconds; doubled each time. */
  readonly pause?: number;
}

class ForgeError extends Error {
  readonly status: number | undefined;
  readonly after: number | undefined;

  constructor(message: string, status?: number, after?: number) {
    super(message);
    this.status = status;
    this.after = after;
  }
}

/**
 * Makes the comment, or updates the one that is there.
 *
 * @param marker - the first line of ours.
 * @throws Error where the forge does not let it be done, with what it answered.
 */
export async function postComment(
  forge: Forge,
  marker: string,
  body: string,
  { signal, pause = 1_000 }: PostOptions = {},
): Promise<Posted> {
  const client = new Client(forge, signal);
  for (let attempt = 1; ; attempt += 1) {
    try {
      // All of it anew each time: an answer that was lost may have been a comment that was made.
      return await upsert(client, marker, body);
    } catch (error) {
      signal?.throwIfAborted();
      const passing =
        error instanceof ForgeError && (error.status === undefined || PASSING.has(error.status));
      if (!passing || attempt === TRIES) throw error;
      const wait = error.after ?? pause * 2 ** (attempt - 1);
      await sleep(Math.min(wait, 60_000), undefined, signal === undefined ? {} : { signal });
    }
  }
}

async function upsert(client: Client, marker: string, body: string): Promise<Posted> {
  const [author, comments] = [await client.author(), await client.comments()];
  const [first, ...more] = comments.filter(
    (each) => isOurs(each, author) && each.body?.startsWith(marker) === true,
  );
  // A second one, of a time when two ran at once, would go on telling what is no longer so.
  for (const { id } of more) await client.remove(id);
  if (first === undefined) return { did: "created", url: (await client.create(body)).html_url };
  if (sameText(first.body, body)) return { did: "kept", url: first.html_url };
  await client.update(first.id, body);
  return { did: "updated", url: first.html_url };
}

function isOurs({ user }: Comment, author: string | undefined): boolean {
  if (user == null) return false;
  return author === undefined ? BOTS.has(user.login) : user.login === author;
}

/** A forge may take white space away at the end, and write line ends in its own way. */
function sameText(a: string | null | undefined, b: string): boolean {
  return a?.replaceAll("\r\n", "\n").trim() === b.trim();
}

class Client {
  readonly #forge: Forge;
  readonly #signal: AbortSignal | undefined;

  constructor(forge: Forge, signal: AbortSignal | undefined) {
    this.#forge = forge;
    this.#signal = signal;
  }

  /** Who the token is; undefined for a workflow's own, which may not ask. */
  async author(): Promise<string | undefined> {
    try {
      const { value } = await this.#call("GET", `${this.#forge.api}/user`);
      return z.object({ login: z.string() }).safeParse(value).data?.login;
    } catch (error) {
      const status = error instanceof ForgeError ? error.status : undefined;
      if (status === 401 || status === 403 || status === 404) return undefined;
      throw error;
    }
  }

  async comments(): Promise<Comment[]> {
    const found = new Map<number, Comment>();
    // GitHub counts by per_page, Forgejo by limit.
    let next: string | undefined =
      `${this.#of("issues", String(this.#forge.pullRequest))}/comments?per_page=100&limit=100`;
    for (let page = 0; next !== undefined && page < PAGES; page += 1) {
      const { value, link } = await this.#call("GET", next);
      const all = z.array(commentSchema).safeParse(value);
      if (!all.success) throw new ForgeError("the forge's list of comments cannot be read", 400);
      for (const comment of all.data) found.set(comment.id, comment);
      next = nextPage(link, this.#forge.api);
    }
    return [...found.values()].sort((a, b) => a.id - b.id);
  }

  async create(body: string): Promise<Comment> {
    const place = `${this.#of("issues", String(this.#forge.pullRequest))}/comments`;
    return commentSchema.parse((await this.#call("POST", place, { body })).value);
  }

  async update(id: number, body: string): Promise<void> {
    await this.#call("PATCH", this.#of("issues", "comments", String(id)), { body });
  }

  async remove(id: number): Promise<void> {
    await this.#call("DELETE", this.#of("issues", "comments", String(id)));
  }

  #of(...parts: readonly string[]): string {
    return [`${this.#forge.api}/repos/${this.#forge.repository}`, ...parts].join("/");
  }

  async #call(method: string, url: string, content?: object) {
    const what = `${method} ${new URL(url).pathname}`;
    let response: Awaited<ReturnType<typeof fetch>>;
    let body: string;
    try {
      response = await fetch(url, {
        method,
        // A redirect would take the token elsewhere.
        redirect: "error",
        headers: {
          accept: "application/json",
          authorization: `Bearer ${this.#forge.token}`,
          "user-agent": "fort-offsite",
          ...(content !== undefined && { "content-type": "application/json" }),
        },
        ...(content !== undefined && { body: JSON.stringify(content) }),
        signal: AbortSignal.any([
          AbortSignal.timeout(30_000),
          ...(this.#signal ? [this.#signal] : []),
        ]),
      });
      body = await response.text();
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw new ForgeError(`${what}: ${messageOf(error)}`);
    }
    if (!response.ok)
      throw refusal(what, response.status, body, response.headers.get("retry-after"));
    return { value: parseJson(body), link: response.headers.get("link") };
  }
}

function refusal(
  what: string,
  status: number,
  body: string,
  retryAfter: string | null,
): ForgeError {
  const told = z.object({ message: z.string() }).safeParse(parseJson(body)).data?.message ?? body;
  const way =
    status === 403 || status === 401
      ? ". May the token comment? It needs pull-requests: write (GitHub) or write access to issues (Forgejo); a fork's has neither"
      : "";
  const seconds = Number(retryAfter ?? Number.NaN);
  const after = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  // GitHub says 403 for "slow down" as well.
  const kind = status === 403 && after !== undefined ? 429 : status;
  return new ForgeError(
    `${what}: the forge answered ${status}: ${excerpt(told)}${way}`,
    kind,
    after,
  );
}

/** The next page, as the header tells it. Never at another place: the token goes along. */
function nextPage(link: string | null, api: string): string | undefined {
  const [, url] = /<([^<>]+)>\s*;[^,]*\brel="?next"?/.exec(link ?? "") ?? [];
  if (url === undefined || !URL.canParse(url, api)) return undefined;
  const next = new URL(url, api);
  return next.origin === new URL(api).origin ? next.href : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
