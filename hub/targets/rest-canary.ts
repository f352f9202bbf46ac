/**
 * Tries at a rest-server what an append-only server with private repositories must refuse: to
 * remove, to overwrite, and to read without the right credential. All of it on a small repository
 * of its own below the host's, `/<user>/offsite-canary/`, and on nothing else. What a try did is
 * judged by what is there afterwards.
 */
import { createHash, randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { CANARY } from "../../config/canary.ts";
import { messageOf } from "../errors.ts";
import { HttpPool, type HttpAnswer } from "./http-pool.ts";
import type { CanaryReport } from "./probe.ts";
import { discard, PATIENCE, RestRepository, type RestConnection } from "./rest-client.ts";
import { tlsOptions } from "./rest-trust.ts";
import type { RestServerOptions } from "./rest-server.ts";
import { StopError } from "./target.ts";

const CONTENT = Buffer.from(
  "A canary of offsite-hub verify. It can be removed; it is made again.\n",
);
const OTHER_CONTENT = Buffer.from("Whoever reads this has overwritten the canary.\n");
const NAME = createHash("sha256").update(CONTENT).digest("hex");
const FILES = ["config", `data/${NAME}`] as const;
const TRIES = 3;
const BODY_LIMIT_BYTES = 4096;

interface Login {
  readonly user: string;
  readonly password: string;
}

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** The canaries of a rest-server. */
export class RestCanary {
  readonly #options: RestServerOptions;
  readonly #connection: RestConnection;
  readonly #pool: HttpPool;
  readonly #path: string;
  readonly #logins = new Map<string, Promise<Login>>();

  constructor(options: RestServerOptions, connection: RestConnection) {
    this.#options = options;
    this.#connection = connection;
    const url = new URL(options.url);
    const { connect, idle } = options.patience ?? PATIENCE;
    this.#path = url.pathname;
    this.#pool = new HttpPool(url.origin, {
      connections: 2,
      connect,
      idle,
      tls: tlsOptions(options.trust ?? {}),
    });
  }

  /** Tries all of it for a host. It never throws. */
  async tryHost(host: string): Promise<CanaryReport> {
    for (let attempt = 1; ; attempt += 1) {
      const report: CanaryReport = { errors: [], notices: [] };
      try {
        const login = await this.#loginOf(host);
        await this.#make(login);
        await this.#tryChanges(login, report);
        await this.#tryReading(host, login, report);
      } catch (error) {
        if (attempt === 1 && (await this.#hasChanged(host))) continue;
        report.errors.push(
          `could not try whether removal and reading are refused: ${messageOf(error)}`,
        );
      }
      return report;
    }
  }

  /** Whether the server has come to accept another credential of the host since the login was found. */
  async #hasChanged(host: string): Promise<boolean> {
    try {
      const before = await this.#logins.get(host);
      this.#logins.clear();
      return before !== undefined && (await this.#loginOf(host)).password !== before.password;
    } catch {
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #make(login: Login): Promise<void> {
    const contents = await Promise.all(FILES.map((file) => this.#get(login, file)));
    if (contents.every((content) => content !== undefined)) return;
    await this.#expect(200, login, "POST", "?create=true");
    for (const [at, file] of FILES.entries()) {
      if (contents[at] === undefined) await this.#expect(200, login, "POST", file, CONTENT);
    }
  }

  async #tryChanges(login: Login, report: CanaryReport): Promise<void> {
    for (const file of FILES) {
      const before = await this.#get(login, file);
      await this.#send(login, "POST", file, OTHER_CONTENT);
      const after = await this.#get(login, file);
      if (before === undefined || after?.equals(before) !== true) {
        report.errors.push(
          `the server let the canary's ${what(file)} be overwritten with the hub's credential: ` +
            "whoever has it can destroy the copies there. Is it rest-server, run with --append-only?",
        );
      }
    }
    for (const file of FILES) {
      await this.#send(login, "DELETE", file);
      if ((await this.#get(login, file)) !== undefined) continue;
      const back = await this.#send(login, "POST", file, CONTENT);
      report.errors.push(
        `the server let the canary's ${what(file)} be removed with the hub's credential: whoever has it can ` +
          "destroy the copies there. Run the peer's rest-server with --append-only" +
          (back.status === 200 ? "" : `. The canary could not be put back (${back.status})`),
      );
    }
  }

  async #tryReading(host: string, login: Login, report: CanaryReport): Promise<void> {
    if (await this.#canRead(login, undefined)) {
      report.errors.push(
        "anybody can read there, without a password. Run the peer's rest-server with --htpasswd-file and without --no-auth",
      );
      return;
    }
    const wrong = { user: login.user, password: randomBytes(16).toString("hex") };
    if (await this.#canRead(login, wrong)) {
      report.errors.push(`the server takes any password for user "${login.user}"`);
      return;
    }
    const other = await this.#anotherLogin(host);
    if (other === undefined) {
      report.notices.push("there is no other host to try whether it can read this one's");
    } else if (await this.#canRead(login, other)) {
      report.errors.push(
        `user "${other.user}" can read what belongs to "${login.user}". Run the peer's rest-server with --private-repos`,
      );
    }
  }

  async #canRead(owner: Login, reader: Login | undefined): Promise<boolean> {
    const answer = await this.#request(owner.user, reader, "GET", FILES[1]);
    return answer.status === 200;
  }

  /** The credential of another host, one that the server accepts. */
  async #anotherLogin(host: string): Promise<Login | undefined> {
    for (const other of this.#options.users.keys()) {
      if (other === host) continue;
      try {
        return await this.#loginOf(other);
      } catch (error) {
        if (!(error instanceof StopError && error.scope === "host")) throw error;
      }
    }
    return undefined;
  }

  async #loginOf(host: string): Promise<Login> {
    let login = this.#logins.get(host);
    if (login === undefined) {
      login = this.#findLogin(host);
      this.#logins.set(host, login);
    }
    return await login;
  }

  async #findLogin(host: string): Promise<Login> {
    const user = this.#options.users.get(host);
    if (user === undefined) {
      throw new StopError("host", `hub-credentials.json has no user for host "${host}"`);
    }
    const repository = new RestRepository(this.#connection, user.user, user.passwords, () =>
      this.#options.renew?.(host),
    );
    await discard(await repository.request({ method: "GET", path: `${CANARY}/config` }));
    return { user: user.user, password: repository.password ?? "" };
  }

  /** A file of the canary, or undefined where it is not there. */
  async #get(login: Login, file: string): Promise<Buffer | undefined> {
    const answer = await this.#send(login, "GET", file);
    if (answer.status === 404) return undefined;
    if (answer.status === 200) return answer.body;
    throw new Error(`asked for the canary's ${what(file)}, the server answered ${answer.status}`);
  }

  async #expect(
    status: number,
    login: Login,
    method: string,
    file: string,
    body?: Buffer,
  ): Promise<void> {
    const answer = await this.#send(login, method, file, body);
    if (answer.status === status) return;
    // Another verify may have made it first.
    if (body !== undefined && (await this.#get(login, file)) !== undefined) return;
    const full = answer.status === 507 ? ", it is full" : "";
    throw new Error(`the canary cannot be made: the server answered ${answer.status}${full}`);
  }

  async #send(login: Login, method: string, file: string, body?: Buffer): Promise<Answer> {
    return await this.#request(login.user, login, method, file, body);
  }

  /** Sends a request for a file of a user's canary, again where the connection or the server fails. */
  async #request(
    owner: string,
    login: Login | undefined,
    method: string,
    file: string,
    body?: Buffer,
  ): Promise<Answer> {
    const basic =
      login && Buffer.from(`${login.user}:${login.password}`, "utf8").toString("base64");
    for (let attempt = 1; ; attempt += 1) {
      let failure: unknown;
      try {
        const response = await this.#pool.request({
          method,
          path: `${this.#path}${encodeURIComponent(owner)}/${CANARY}/${file}`,
          headers: basic === undefined ? {} : { authorization: `Basic ${basic}` },
          body,
        });
        const answer = { status: response.statusCode, body: await start(response) };
        if (answer.status < 500 || answer.status === 507 || attempt === TRIES) return answer;
      } catch (error) {
        failure = error;
      }
      if (attempt === TRIES) throw new StopError("target", this.#connection.describe(failure));
      await setTimeout((this.#options.patience ?? PATIENCE).pause * attempt);
    }
  }
}

/** The beginning of an answer's body. */
async function start(response: HttpAnswer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > BODY_LIMIT_BYTES) break;
  }
  return Buffer.concat(chunks);
}

function what(file: string): string {
  return file === "config" ? "config" : "data";
}
