import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isThroughRclone, type Manifest, type RcloneCredentials } from "../../config/manifest.ts";
import type { Inputs } from "../options.ts";
import { readPassword, runRestic, type ResticResult } from "../restic.ts";
import { readRcloneConfig } from "../targets/rclone-config.ts";
import { RCLONE_SERVICES } from "../targets/rclone-services.ts";
import { KNOWN_HOSTS, pinHostKeys } from "../targets/sftp-host-keys.ts";
import { StopError, type CredentialAge } from "../targets/target.ts";
import { DrillError } from "./report.ts";
import { passwordFileOf } from "../settings.ts";

/** One way to be let in: environment variables for restic. */
export interface Entrance {
  readonly age: CredentialAge | "restore";
  readonly env: Readonly<Record<string, string>>;
}

/** A repository that is only read: nothing is locked there and nothing written. */
export class ReadOnlyRepository {
  /** What restic calls it. */
  readonly url: string;
  readonly password: string;
  readonly #restic: string;
  readonly #cache: string;
  readonly #options: readonly string[];
  readonly #entrances: readonly Entrance[];
  #accepted: Entrance | undefined;

  constructor(options: {
    readonly url: string;
    readonly password: string;
    readonly restic: string;
    /** A folder for restic's cache, so that a drill reads from the target and nowhere else. */
    readonly cache: string;
    readonly options?: readonly string[];
    readonly entrances: readonly Entrance[];
  }) {
    this.url = options.url;
    this.password = options.password;
    this.#restic = options.restic;
    this.#cache = options.cache;
    this.#options = options.options ?? [];
    this.#entrances = options.entrances;
  }

  /** The credential that was accepted, once one was. */
  get accepted(): CredentialAge | "restore" | null {
    return this.#accepted?.age ?? null;
  }

  /** The environment and the options with which restic reaches it; after a first {@link run}. */
  get access(): { env: Readonly<Record<string, string>>; options: readonly string[] } {
    return { env: this.#accepted?.env ?? {}, options: this.#options };
  }

  /**
   * Runs a command of restic that reads, with each credential until one is let in.
   *
   * @param onLine - called with each line of its output, which is not kept then.
   * @param signal - ends it.
   * @throws DrillError where none is.
   */
  async run(
    args: readonly string[],
    onLine?: (line: string) => void,
    signal?: AbortSignal,
  ): Promise<ResticResult> {
    const accepted = this.#accepted;
    const others = this.#entrances.filter((entrance) => entrance !== accepted);
    const refused: string[] = [];
    let lines = 0;
    // The one that was accepted last first; the target may have changed over since.
    for (const entrance of accepted === undefined ? others : [accepted, ...others]) {
      const result = await runRestic({
        program: this.#restic,
        repository: this.url,
        password: this.password,
        args: [...this.#options, "--no-lock", "--cache-dir", this.#cache, "--json", ...args],
        env: entrance.env,
        ...(onLine !== undefined && {
          onLine: (line: string) => {
            lines += 1;
            onLine(line);
          },
        }),
        ...(signal !== undefined && { signal }),
      });
      // What has been told cannot be told again: then it is a failure like any other.
      if (!isRefusal(result) || lines > 0) {
        this.#accepted = entrance;
        return result;
      }
      refused.push(entrance.age);
    }
    throw new DrillError(
      `401: none of the credentials is accepted (${refused.join(", ")}). ` +
        "Deploy the hub and the target from the same bundle",
    );
  }
}

function isRefusal(result: ResticResult): boolean {
  return (
    result.exitCode !== 0 &&
    [...result.complaints, result.problem].some(
      (line) => /\(401\)|401 Unauthorized/.test(line) || RCLONE_SERVICES.sftp.refused.test(line),
    )
  );
}

/**
 * Asks a rest-server for a host's repository. restic goes on for minutes at an address where nobody
 * answers; this tells within seconds.
 *
 * @throws DrillError where it does not answer.
 */
export async function reach(inputs: Inputs, target: string, host: string): Promise<void> {
  if (inputs.manifest.targets[target]?.type !== "rest-server") return;
  const place = inputs.target(target);
  try {
    const found = (await place.inventory([host])).get(host);
    if (found instanceof StopError && found.scope === "target") {
      throw new DrillError(found.message);
    }
  } finally {
    await place.close();
  }
}

/**
 * A host's repository at a target, with the credential that restores from there: at a rest-server
 * the host's own (current, next, previous), at a cloud the restore key.
 *
 * @throws DrillError, UsageError where the bundle or the settings lack something.
 */
export function repositoryAt(
  inputs: Inputs,
  target: string,
  host: string,
  cache: string,
): ReadOnlyRepository {
  const password = passwordOf(inputs, host);
  const place = inputs.manifest.targets[target];
  const credential = inputs.credentials().targets[target];
  const common = { password, restic: inputs.restic, cache };
  if (place?.type === "rest-server" && credential?.type === "rest-server") {
    const user = inputs.manifest.hosts[host]?.user ?? host;
    const trio = credential.users[user];
    const url = place.repositories[host];
    if (trio === undefined) throw new DrillError(`hub-credentials.json has no user "${user}"`);
    if (url === undefined) throw lacking(target, host);
    const trust = trusting(place.certificate, cache);
    const entrance = (age: CredentialAge, secret: string): Entrance => ({
      age,
      env: { RESTIC_REST_USERNAME: user, RESTIC_REST_PASSWORD: secret, ...trust },
    });
    const entrances = [entrance("current", trio.current), entrance("next", trio.next)];
    if (trio.previous !== null) entrances.push(entrance("previous", trio.previous));
    return new ReadOnlyRepository({ ...common, url, entrances });
  }
  if (isThroughRclone(place) && credential?.type === place.type && "remotes" in credential) {
    if (inputs.rcloneConfig === undefined) {
      throw new DrillError("it needs the bundle's rclone.conf: give --rclone-config");
    }
    return new ReadOnlyRepository({
      ...common,
      url: `rclone:${credential.remotes.restore}:${place.path === "" ? "" : `${place.path}/`}${host}`,
      options: rcloneOptions(inputs.rclone),
      entrances: rcloneEntrances(inputs.manifest, inputs.rcloneConfig, credential),
    });
  }
  throw new DrillError(
    `the manifest and hub-credentials.json do not agree on "${target}". Deploy both from the same bundle`,
  );
}

/**
 * The ways in through rclone. At an SFTP directory one key is accepted at a time, so that each that
 * the hub holds is tried; where they are is the same for all, and only the key is another.
 */
function rcloneEntrances(
  manifest: Manifest,
  config: string,
  { type, remotes }: RcloneCredentials,
): Entrance[] {
  const restore: Entrance = { age: "restore", env: { RCLONE_CONFIG: config } };
  if (type !== "sftp") return [restore];
  pinHostKeys(manifest);
  const pinned = { RCLONE_CONFIG: config, [KNOWN_HOSTS]: process.env[KNOWN_HOSTS] ?? "" };
  const sections = readRcloneConfig(config);
  const others = (["next", "previous"] as const).flatMap((age): Entrance[] => {
    const { [age]: remote } = { previous: undefined, ...remotes };
    const key = remote === undefined ? undefined : sections.get(remote)?.key_pem;
    const variable = `RCLONE_CONFIG_${remotes.restore.toUpperCase()}_KEY_PEM`;
    return key === undefined ? [] : [{ age, env: { ...pinned, [variable]: key } }];
  });
  return [{ ...restore, env: pinned }, ...others];
}

/** Lets restic trust the server's own authority, and no other; it reads that from a file. */
function trusting(certificate: string | undefined, folder: string): Record<string, string> {
  if (certificate === undefined) return {};
  const file = join(folder, "authority.pem");
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, certificate, { mode: 0o644 });
  return { RESTIC_CACERT: file };
}

/**
 * How restic is to start rclone: without `--b2-hard-delete`, for which no key here is good. restic
 * reads an option's argument as CSV, and splits what it finds for the program as a shell does.
 */
function rcloneOptions(program: string): string[] {
  const shell = `"${program.replaceAll(/["\\]/g, "\\$&")}"`;
  const csv = `"rclone.program=${shell.replaceAll('"', '""')}"`;
  return ["-o", csv, "-o", "rclone.args=serve restic --stdio"];
}

function passwordOf(inputs: Inputs, host: string): string {
  const file = passwordFileOf(inputs.settings.passwordFiles, host);
  if (file !== undefined) return readPassword(file);
  throw new DrillError(
    `no password for its repository: name a file under passwordFiles."${host}" in the settings`,
  );
}

function lacking(target: string, host: string): DrillError {
  return new DrillError(`the manifest has no repository of "${host}" at "${target}"`);
}
