/** A small forge: what GitHub's and Forgejo's APIs have of comments, over real HTTP. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A comment as the forge keeps it. */
export interface Comment {
  id: number;
  body: string;
  user: { login: string };
}

/** How it behaves. */
export interface ForgeOptions {
  /** GitHub pages and refuses to tell a workflow's token who it is; Forgejo does neither. */
  readonly kind?: "github" | "forgejo";
  /** As whom the token writes. */
  readonly login?: string;
  readonly pageSize?: number;
}

const TOKEN = "forge-token-0123456789";

/** It stands until {@link Forge.stop}. */
export class ForgeServer {
  readonly comments: Comment[] = [];
  /** Every request: `GET /repos/…`. */
  readonly requests: string[] = [];
  /**
   * Answers in the place of the next one, of a method where one is named: before the work is done, or
   * after it, so that the answer alone is lost.
   */
  readonly faults: {
    status: number;
    headers?: Record<string, string>;
    method?: string;
    after?: boolean;
  }[] = [];
  /** In the place of the header by which the next page is found. */
  link: string | undefined;
  readonly #options: Required<ForgeOptions>;
  readonly #server = createServer((request, response) => {
    void this.#handle(request, response);
  });
  #next = 1;

  constructor({ kind = "github", login, pageSize = 3 }: ForgeOptions = {}) {
    const bot = kind === "github" ? "github-actions[bot]" : "forgejo-actions";
    this.#options = { kind, login: login ?? bot, pageSize };
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  get api(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api/v1`;
  }

  /** What a workflow's environment says of it. */
  get env(): Record<string, string> {
    return {
      GITHUB_API_URL: this.api,
      GITHUB_REPOSITORY: "family/offsite",
      GITHUB_TOKEN: TOKEN,
    };
  }

  add(login: string, body: string): Comment {
    const comment = { id: this.#next, body, user: { login } };
    this.#next += 1;
    this.comments.push(comment);
    return comment;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<unknown>((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.api);
    const path = url.pathname.replace("/api/v1", "");
    this.requests.push(`${request.method ?? ""} ${path}`);
    const body = await text(request);
    const at = this.faults.findIndex(({ method = request.method }) => method === request.method);
    const [fault] = at < 0 ? [] : this.faults.splice(at, 1);
    if (fault !== undefined && fault.after !== true) {
      this.#answer(response, fault.status, { message: "try later" }, fault.headers);
      return;
    }
    if (request.headers.authorization !== `Bearer ${TOKEN}`) {
      this.#answer(response, 401, { message: "Bad credentials" });
      return;
    }
    const [status, value, headers] = this.#do(request.method ?? "", path, url, body);
    if (fault !== undefined) this.#answer(response, fault.status, {}, fault.headers);
    else this.#answer(response, status, value, headers);
  }

  #do(
    method: string,
    path: string,
    url: URL,
    body: string,
  ): [number, unknown, Record<string, string>?] {
    const { kind, login } = this.#options;
    if (path === "/user") {
      return kind === "github"
        ? [403, { message: "Resource not accessible by integration" }]
        : [200, { login }];
    }
    const given = body === "" ? undefined : (JSON.parse(body) as { body: string }).body;
    if (path === "/repos/family/offsite/issues/7/comments") {
      if (method === "POST") return [201, this.add(login, given ?? "")];
      return this.#page(url);
    }
    const [, id] = /^\/repos\/family\/offsite\/issues\/comments\/(\d+)$/.exec(path) ?? [];
    const comment = this.comments.find((each) => each.id === Number(id));
    if (comment === undefined) return [404, { message: "Not Found" }];
    if (method === "DELETE") {
      this.comments.splice(this.comments.indexOf(comment), 1);
      return [204, undefined];
    }
    if (method === "PATCH") comment.body = given ?? "";
    return [200, comment];
  }

  #page(url: URL): [number, unknown, Record<string, string>?] {
    const { kind, pageSize } = this.#options;
    if (this.link !== undefined) return [200, this.comments, { link: this.link }];
    if (kind === "forgejo") return [200, this.comments];
    const page = Number(url.searchParams.get("page") ?? 1);
    const all = this.comments.slice((page - 1) * pageSize, page * pageSize);
    if (page * pageSize >= this.comments.length) return [200, all];
    url.searchParams.set("page", String(page + 1));
    return [200, all, { link: `<${url.href}>; rel="next", <${url.href}>; rel="last"` }];
  }

  #answer(
    response: ServerResponse,
    status: number,
    value: unknown,
    headers: Record<string, string> = {},
  ): void {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(value === undefined ? "" : JSON.stringify(value));
  }
}
