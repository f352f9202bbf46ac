/** Where a repository's files are brought from: a target of any type, read with the hub's credentials. */
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { isThroughRclone, type PasswordTrio } from "../../config/manifest.ts";
import { forEachConcurrent } from "../concurrency.ts";
import { messageOf, UsageError } from "../errors.ts";
import { childrenOf } from "../locks.ts";
import { pathOf, type RepositoryFile } from "../repository/layout.ts";
import { renewed, type TargetOptions } from "../targets/from-manifest.ts";
import { RCLONE_SERVICES } from "../targets/rclone-services.ts";
import { runRclone, type RcloneOptions } from "../targets/rclone-process.ts";
import {
  discard,
  RestConnection,
  RestRepository,
  TransientError,
  urlPathOf,
} from "../targets/rest-client.ts";
import { pinHostKeys } from "../targets/sftp-host-keys.ts";
import { StopError } from "../targets/target.ts";

/** Files on their way at a time. */
const IN_FLIGHT = 8;

/** Told of a file that could not be had, and why. */
export type Failed = (file: RepositoryFile, reason: string) => void;

/** One target, to be read. */
export interface Source {
  /**
   * Brings files into a folder, each below its host's name. What is there afterwards is to be checked:
   * nothing is promised of its content.
   *
   * @throws StopError where the target cannot be worked with.
   */
  bring(files: readonly RepositoryFile[], folder: string, failed: Failed): Promise<void>;
  /** Lets go of connections. */
  close(): Promise<void>;
}

/** Where a file is below the folder that it was brought to. */
export function placeOf(folder: string, { host, kind, name }: RepositoryFile): string {
  return join(folder, host, pathOf(kind, name));
}

/**
 * Makes what a target is read with. Nothing is connected to yet.
 *
 * @throws UsageError where the bundle's files do not fit together.
 */
export function sourceFromManifest(
  name: string,
  options: Omit<TargetOptions, "uploadLimitKiB">,
): Source {
  const { manifest, credentials, rcloneConfig, rclone: program } = options;
  const target = manifest.targets[name];
  const credential = credentials.targets[name];
  if (target?.type === "rest-server" && credential?.type === "rest-server") {
    const trust = { certificate: target.certificate };
    return new RestSource(new RestConnection(target.url, IN_FLIGHT, undefined, trust), (host) => {
      const user = manifest.hosts[host]?.user ?? "";
      const passwords = credential.users[user];
      if (passwords === undefined) return undefined;
      return { user, passwords, renew: () => renewed(name, host, options) };
    });
  }
  if (isThroughRclone(target) && credential?.type === target.type && rcloneConfig !== undefined) {
    // The one that can do nothing but read comes first.
    const { restore, current, next, previous } = { previous: undefined, ...credential.remotes };
    if (target.type === "sftp") pinHostKeys(manifest);
    return new RcloneSource({
      ...{ program, config: rcloneConfig, path: target.path },
      children: options.state === undefined ? undefined : childrenOf(options.state, name),
      remotes: [restore, current, next, previous].filter((remote) => remote !== undefined),
      refused: RCLONE_SERVICES[target.type].refused,
    });
  }
  throw new UsageError(`nothing can be fetched from the target "${name}"`);
}

/** What a host is known by at a rest-server. */
interface Login {
  readonly user: string;
  readonly passwords: PasswordTrio;
  readonly renew: () => PasswordTrio | undefined;
}

class RestSource implements Source {
  readonly #connection: RestConnection;
  readonly #login: (host: string) => Login | undefined;

  constructor(connection: RestConnection, login: (host: string) => Login | undefined) {
    this.#connection = connection;
    this.#login = login;
  }

  async bring(files: readonly RepositoryFile[], folder: string, failed: Failed): Promise<void> {
    const repositories = new Map<string, RestRepository>();
    for (const host of new Set(files.map((file) => file.host))) {
      repositories.set(host, this.#repository(host));
    }
    await forEachConcurrent(files, IN_FLIGHT, async (file) => {
      const repository = repositories.get(file.host) ?? this.#repository(file.host);
      const reason = await repository.retry(() => download(repository, file, folder));
      if (reason !== undefined) failed(file, reason);
    });
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  #repository(host: string): RestRepository {
    const login = this.#login(host);
    if (login === undefined) {
      throw new StopError("host", `hub-credentials.json has no user for host "${host}"`);
    }
    return new RestRepository(this.#connection, login.user, login.passwords, login.renew);
  }
}

/** Writes a file as the server gives it. Gives why it did not. */
async function download(
  repository: RestRepository,
  file: RepositoryFile,
  folder: string,
): Promise<string | undefined> {
  const response = await repository.once({ method: "GET", path: urlPathOf(file) });
  if (response.statusCode !== 200) {
    await discard(response);
    return `the server answered ${response.statusCode}`;
  }
  const place = placeOf(folder, file);
  mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
  let full: Error | undefined;
  const output = createWriteStream(place, { mode: 0o600 });
  output.once("error", (error) => (full = error));
  try {
    await pipeline(response.body, output);
  } catch (error) {
    // A disk that is full does not get better by another try.
    if (full !== undefined) throw full;
    throw new TransientError(messageOf(error), { cause: error });
  }
  return undefined;
}

interface RcloneSourceOptions extends RcloneOptions {
  readonly path: string;
  readonly remotes: readonly string[];
  /** What rclone says where a credential is refused. */
  readonly refused: RegExp;
}

class RcloneSource implements Source {
  readonly #options: RcloneSourceOptions;

  constructor(options: RcloneSourceOptions) {
    this.#options = options;
  }

  async bring(files: readonly RepositoryFile[], folder: string, failed: Failed): Promise<void> {
    const refusals: string[] = [];
    for (const remote of this.#options.remotes) {
      const reasons = new Map<string, string>();
      const result = await this.#copy(remote, files, folder, reasons);
      const isRefused = (error: string) =>
        this.#options.refused.test(error) || error.includes("didn't find section in config file");
      if (result.exitCode !== 0 && result.errors.some(isRefused)) {
        refusals.push(`${remote}: ${result.errors.at(-1) ?? ""}`);
        continue;
      }
      for (const file of files) {
        const reason = reasons.get(`${file.host}/${pathOf(file.kind, file.name)}`);
        if (reason !== undefined) failed(file, reason);
      }
      if (result.exitCode !== 0 && reasons.size === 0) {
        throw new StopError("target", result.errors.at(-1) ?? `rclone: ${result.exitCode}`);
      }
      return;
    }
    throw new StopError("target", `accepts none of its credentials: ${refusals.join("; ")}`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #copy(
    remote: string,
    files: readonly RepositoryFile[],
    folder: string,
    reasons: Map<string, string>,
  ) {
    const lists = ["--files-from-raw", "-", "--no-traverse", "--transfers", "8"];
    const tries = ["--retries", "1", "--low-level-retries", "5"];
    return await runRclone(
      this.#options,
      ["copy", ...lists, ...tries, `${remote}:${this.#options.path}`, folder],
      {
        input: files.map((file) => `${file.host}/${pathOf(file.kind, file.name)}`),
        onLog: ({ level, object, msg }) => {
          if (level === "error" && object !== undefined) reasons.set(object, msg.trim());
        },
      },
    );
  }
}
