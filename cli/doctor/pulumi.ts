/** Pulumi's login, the stack, its settings and its passphrase. */
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { RawConfig } from "../../config/parse.ts";
import { NAMESPACE, parseStackConfig } from "../../config/parse.ts";
import { InputError, type Problem } from "../../config/problems.ts";
import type { StackConfig } from "../../config/stack.ts";
import { messageOf } from "../../hub/errors.ts";
import { draftProblems } from "../init/draft.ts";
import {
  BACKEND_PATIENCE,
  currentBackend,
  folderOf,
  knownStacks,
  lastLine,
  runPulumi,
  type KnownStack,
} from "../init/pulumi.ts";
import { readSettingsFile } from "../init/settings-file.ts";
import { interruption } from "../interruption.ts";
import type { StackOptions } from "../options.ts";
import { OperatorStack, settingsFile } from "../stack.ts";
import type { Check, State } from "./report.ts";

/** What the stack came to: its settings as far as they could be read. */
export interface StackLook {
  readonly checks: readonly Check[];
  /** Right, and with their secrets. */
  readonly config?: StackConfig;
  readonly raw?: RawConfig;
  /** Its name, once it is known. */
  readonly stack?: string;
}

const INIT = "npx offsite init";

/**
 * Looks at the login, the stack, the file and the passphrase, each where those before it are right.
 *
 * @param hasPulumi - whether the program is there at all.
 */
export async function checkStack(
  project: string,
  options: StackOptions,
  hasPulumi: boolean,
): Promise<StackLook> {
  if (!hasPulumi) {
    const checks = [unknown("login", "needs pulumi"), unknown("stack", "needs pulumi")];
    const name = options.stack ?? "prod";
    return { checks: [...checks, ...checkFile(name, settingsFile(project, name, options))] };
  }
  const login = await checkLogin(project);
  const known = login.state === "ok" ? await knownStacks(project) : undefined;
  const { check, name } = await findStack(project, options, known, login.state === "ok");
  const file = settingsFile(project, name, options);
  const isKnown = check.state === "ok";
  const settings = checkFile(name, file);
  const before = [login, check, ...lockCheck(login, project, name, isKnown)];
  if (!isKnown || !existsSync(file)) {
    return {
      checks: [...before, ...settings, unknown("passphrase", "needs the stack and its file")],
    };
  }
  const opened = await openSettings(name, project, file);
  // With the secrets more can be judged than without.
  const judged = opened.settings.length > 0 ? opened.settings : settings;
  return { ...opened, stack: name, checks: [...before, ...judged, opened.passphrase] };
}

function unknown(name: string, found: string): Check {
  return { area: "stack", name, state: "unknown", found };
}

async function checkLogin(project: string): Promise<Check> {
  const check = { area: "pulumi", name: "login" };
  const login = await currentBackend(project);
  if ("error" in login) {
    return {
      ...check,
      state: "missing",
      found: login.error,
      todo: `mkdir -p ~/.fort-offsite && pulumi login file://~/.fort-offsite, or let ${INIT} do it`,
    };
  }
  const folder = folderOf(login.url);
  if (folder !== undefined && !isWritable(folder)) {
    const todo = `Make ${folder} a folder that you may write to, or log in elsewhere: pulumi login`;
    return { ...check, state: "wrong", found: `${login.url} cannot be written to`, todo };
  }
  return { ...check, state: "ok", found: login.url };
}

/** Whether a folder is there and this user may write to it. */
export function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function findStack(
  project: string,
  options: StackOptions,
  known: readonly KnownStack[] | undefined,
  isLoggedIn: boolean,
): Promise<{ check: Check; name: string }> {
  const check = { area: "stack", name: "stack" };
  const otherwise = options.stack ?? "prod";
  if (!isLoggedIn) return { check: unknown("stack", "needs the login"), name: otherwise };
  if (known === undefined) {
    const found = "the backend does not answer";
    return {
      check: { ...check, state: "wrong", found, todo: "Try: pulumi stack ls" },
      name: otherwise,
    };
  }
  const selected = options.stack ?? (await selectedStack(project));
  if (selected === undefined) {
    const only = known.length === 1 ? known[0]?.name : undefined;
    const todo =
      known.length === 0
        ? `Make one: ${INIT}`
        : `pulumi stack select ${only ?? "<name>"}, or --stack`;
    const found = known.length === 0 ? "there is none yet" : "none is selected";
    return { check: { ...check, state: "missing", found, todo }, name: only ?? otherwise };
  }
  const stack = known.find((each) => each.name === selected || each.name.endsWith(`/${selected}`));
  if (stack === undefined) {
    const todo = `Make it: ${INIT} --stack ${selected}; or name another with --stack`;
    const found = `the backend has no stack ${selected}`;
    return { check: { ...check, state: "missing", found, todo }, name: selected };
  }
  const made = stack.resourceCount ?? 0;
  const found = `${selected}, ${made === 0 ? "not deployed yet" : `${made} resources`}`;
  return { check: { ...check, state: "ok", found }, name: selected };
}

async function selectedStack(project: string): Promise<string | undefined> {
  const args = ["stack", "--show-name"];
  const { exitCode, stdout } = await runPulumi(args, { cwd: project, timeout: BACKEND_PATIENCE });
  return exitCode === 0 ? stdout.trim() : undefined;
}

/** A folder as backend: an update that runs, or one that was killed, holds the stack's lock. */
function lockCheck(login: Check, project: string, name: string, isKnown: boolean): Check[] {
  const folder = folderOf(login.found);
  if (!isKnown || folder === undefined) return [];
  const locks = join(resolve(project, folder), ".pulumi/locks/organization", NAMESPACE, name);
  const held = existsSync(locks) ? readdirSync(locks) : [];
  const check = { area: "stack", name: "lock" };
  if (held.length === 0) return [{ ...check, state: "ok", found: "free" }];
  return [
    {
      ...check,
      state: "wrong",
      found: "held by an update that runs, or by one that was killed",
      todo: `Wait for it; if none runs anywhere: pulumi cancel --stack ${name}`,
    },
  ];
}

/** The file without its secrets, which needs neither Pulumi nor the passphrase. */
function checkFile(name: string, file: string): Check[] {
  const check = { area: "stack", name: "settings" };
  const todo = `${INIT} --stack ${name}`;
  if (!existsSync(file))
    return [{ ...check, state: "missing", found: `there is no ${file}`, todo }];
  let settings;
  try {
    settings = readSettingsFile(file);
  } catch (error) {
    return [{ ...check, state: "wrong", found: messageOf(error), todo: "Correct the file" }];
  }
  if (!settings.isFilledIn) {
    return [{ ...check, state: "missing", found: `${file} waits to be filled in`, todo }];
  }
  if (!settings.secrets.has(`${NAMESPACE}:credentialSeed`)) {
    return [
      {
        ...check,
        state: "missing",
        found: `${file} has no seed, fort-offsite:credentialSeed`,
        todo,
      },
    ];
  }
  return settingsChecks(file, draftProblems(settings.settings, name));
}

/** A line for each problem. */
function settingsChecks(file: string, problems: readonly Problem[]): Check[] {
  const check = { area: "stack", name: "settings" };
  if (problems.length === 0) return [{ ...check, state: "ok", found: file }];
  return problems.map(({ path, message }) => ({
    ...check,
    state: "wrong",
    found: `${path.join(".")}: ${message}`,
    todo: `Correct ${path.join(".")} in ${file}`,
  }));
}

/** Opens the secrets, and judges the settings with them. */
async function openSettings(
  name: string,
  project: string,
  file: string,
): Promise<{ passphrase: Check; settings: Check[]; config?: StackConfig; raw?: RawConfig }> {
  const passphrase = (state: State, found: string, todo?: string): Check => ({
    ...{ area: "stack", name: "passphrase", state, found },
    ...(todo !== undefined && { todo }),
  });
  let raw: RawConfig;
  try {
    const stack = await OperatorStack.open({ stack: name, project, configFile: file });
    raw = await stack.rawConfig();
  } catch (error) {
    interruption.throwIfAborted();
    if (error instanceof Error && error.name === "ExitPromptError") throw error;
    const said = lastLine(messageOf(error));
    if (said.includes("passphrase must be set")) {
      const todo =
        "Set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE, or run this at a terminal";
      return { passphrase: passphrase("missing", "none is given", todo), settings: [] };
    }
    if (said.includes("incorrect passphrase")) {
      const todo = "Give the one that the stack was made with: without it no secret can be read";
      return { passphrase: passphrase("wrong", "does not open the secrets", todo), settings: [] };
    }
    const todo = "Try: pulumi config --show-secrets --stack " + name;
    return { passphrase: passphrase("wrong", said, todo), settings: [] };
  }
  const right = passphrase("ok", "opens the secrets");
  try {
    const config = parseStackConfig(raw, name);
    return { passphrase: right, settings: settingsChecks(file, []), config, raw };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const isEmpty = Object.keys(raw.values).length === 0;
    return {
      passphrase: right,
      settings: isEmpty ? [] : settingsChecks(file, error.problems),
      raw,
    };
  }
}
