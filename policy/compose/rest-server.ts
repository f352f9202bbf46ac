/** What a service of a compose file starts rest-server with. */
import { basename } from "node:path";
import type { Service } from "./project.ts";
import { words } from "./project.ts";

/** How a rest-server is started. */
export interface RestServer {
  readonly service: Service;
  readonly flags: Readonly<Record<string, string | true>>;
}

/** Flags of rest-server 0.14 that take no value. */
const SWITCHES: ReadonlySet<string> = new Set([
  "append-only",
  "debug",
  "group-accessible-repos",
  "no-auth",
  "no-verify-upload",
  "private-repos",
  "prometheus",
  "prometheus-no-auth",
  "tls",
]);

/** Words by which Go's flags know a true; anything else is none. */
const TRUE: ReadonlySet<string> = new Set(["1", "t", "T", "true", "TRUE", "True"]);

/**
 * How a service runs rest-server.
 *
 * @returns undefined where it runs something else; a sentence where how it does cannot be seen.
 */
export function restServerOf(service: Service): RestServer | string | undefined {
  const { argv, image, environment, settings } = service;
  const mentions = [image, service.name, ...argv].some((word) => word.includes("rest-server"));
  if (!mentions) return undefined;
  if ([...argv, environment.OPTIONS ?? ""].some(hasVariable)) {
    return "a variable of compose ($) decides how it is started, so that nobody can tell with which flags it runs. Write the value itself";
  }
  if (basename(argv[0] ?? "") === "rest-server") {
    return { service, flags: flagsOf(argv.slice(1)) };
  }
  // The official image's own start adds what is in OPTIONS (restic/rest-server: docker/entrypoint.sh).
  const isOfficialStart = argv.every((word) => word === "/entrypoint.sh") && argv.length <= 1;
  if (!isOfficialStart) {
    return "it does not start rest-server itself, so that nobody can tell with which flags it runs. Start /usr/bin/rest-server as entrypoint, with its flags as command";
  }
  if (settings.env_file !== undefined) {
    return "a part of its environment is in a file (env_file), where flags can be. Put them into command";
  }
  const disabled = (environment.DISABLE_AUTHENTICATION ?? "") !== "" ? ["--no-auth"] : [];
  return { service, flags: flagsOf([...disabled, ...words(environment.OPTIONS ?? "")]) };
}

/** Whether compose would put something else in a text's place: two dollar signs are one. */
function hasVariable(text: string): boolean {
  return text.replaceAll("$$", "").includes("$");
}

/** The flags as Go's pflag reads them: the last of two wins, and `--` ends them. */
function flagsOf(args: readonly string[]): Readonly<Record<string, string | true>> {
  const flags: Record<string, string | true> = {};
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] ?? "";
    if (word === "--") break;
    const match = /^--(?<name>[^=]+)(?:=(?<value>.*))?$/s.exec(word);
    const name = match?.groups?.name;
    if (name === undefined) continue;
    const value = match?.groups?.value;
    if (value !== undefined) flags[name] = value;
    else if (SWITCHES.has(name)) flags[name] = true;
    else flags[name] = args[(at += 1)] ?? "";
  }
  return flags;
}

/** Whether a switch is on. */
export function isOn({ flags }: RestServer, name: string): boolean {
  const value = Object.hasOwn(flags, name) ? flags[name] : undefined;
  return value === true || (value !== undefined && TRUE.has(value));
}

/** The value of a flag; undefined where it is not given. */
export function valueOf({ flags }: RestServer, name: string): string | undefined {
  const value = Object.hasOwn(flags, name) ? flags[name] : undefined;
  return value === true ? undefined : value;
}
