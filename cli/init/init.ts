/** `offsite init`: asks, checks, shows, and only then writes. */
import { isDeepStrictEqual } from "node:util";
import { stringify } from "yaml";
import { InputError, type Problem } from "../../config/problems.ts";
import { UsageError } from "../../hub/errors.ts";
import { printable } from "../../hub/format.ts";
import type { StackOptions } from "../options.ts";
import { readAnswers, withSettings, type Answers } from "./answers.ts";
import { gatherSettings, givenSettings, type Gathered } from "./gather.ts";
import { gatherPassphrase, gatherSecrets, type Gaps } from "./gather-secrets.ts";
import type { Plan } from "./plan.ts";
import { askYes, say } from "./prompts.ts";
import { lastWords } from "./last-words.ts";
import { readSettingsFile, type SettingsFile } from "./settings-file.ts";
import { findBackend, findPlace, problemWithBackend, type Backend, type Place } from "./where.ts";
import { writeStack } from "./write.ts";

/** The command's own options. */
export interface InitOptions extends StackOptions {
  readonly answers?: string;
  readonly set?: readonly string[];
  readonly backend?: string;
  readonly peerKey?: string;
  readonly b2KeyFile?: string;
  readonly replace?: true;
  readonly yes?: true;
}

/** Runs the command. */
export async function init(options: InitOptions): Promise<void> {
  checkStandardInput(options);
  const isTerminal = process.stdin.isTTY;
  const answers = options.answers === undefined ? undefined : readAnswers(options.answers);
  if (isTerminal) {
    say(
      "This asks for the hub, the hosts, the places elsewhere and the keys, and checks every answer.\n" +
        "Nothing is written before you have seen it all and said yes; Ctrl-C ends it any time.\n",
    );
  }
  const place = await findPlace(options, answers?.options.stack, isTerminal);
  const before = readSettingsFile(place.file);
  refuseExposed(place, before);
  const backend = await backendOf(options, answers, place, isTerminal);
  refuseLostSeed(place, before, backend);
  const plan = await gather(options, answers, { place, before, backend, isTerminal });
  if (isDone(plan)) {
    say(`${place.file} is complete: there is nothing to do.`);
  } else {
    say(summary(plan));
    if (options.yes !== true && !(await askYes("Write all this?", true))) {
      say("Nothing was changed.");
      process.exitCode = 1;
      return;
    }
    await writeStack(plan);
  }
  console.log(lastWords(plan));
}

function checkStandardInput({ answers, peerKey, b2KeyFile }: InitOptions): void {
  if ([answers, peerKey, b2KeyFile].filter((file) => file === "-").length <= 1) return;
  throw new UsageError(
    "standard input (-) can be only one of --answers, --peer-key, --b2-key-file",
  );
}

async function backendOf(
  options: InitOptions,
  answers: Answers | undefined,
  place: Place,
  isTerminal: boolean,
): Promise<Backend | undefined> {
  const wanted = options.backend ?? answers?.options.backend;
  const problem = wanted === undefined ? undefined : problemWithBackend(wanted);
  if (problem !== undefined) throw new UsageError(`--backend: ${problem}`);
  return await findBackend(place, wanted, isTerminal);
}

/** A seed in clear text is for the operator to judge: with another, all credentials change. */
function refuseExposed({ file }: Place, { exposed }: SettingsFile): void {
  if (exposed.length === 0) return;
  throw new InputError(
    `${file} has secrets in clear text`,
    exposed.map((key) => ({
      path: [key],
      message: `is in clear text. Take it for leaked and remove it, and this makes a new one; or keep it with: pulumi config set --secret ${key}`,
    })),
  );
}

/** A deployed stack without its seed: a new one would change every credential there is. */
function refuseLostSeed(place: Place, before: SettingsFile, backend: Backend | undefined): void {
  const made = backend?.known?.resourceCount ?? 0;
  if (made === 0 || before.secrets.has("fort-offsite:credentialSeed")) return;
  throw new UsageError(
    `the stack ${place.stack} has been deployed (${made} resources), and ${place.file} lacks its seed. With a new one every credential would change. Bring the file back from a backup or from git. If it is lost for good: openssl rand -hex 32 | pulumi config set --secret fort-offsite:credentialSeed, run this again, and after pulumi up deploy every machine at once`,
  );
}

interface Situation {
  readonly place: Place;
  readonly before: SettingsFile;
  readonly backend: Backend | undefined;
  readonly isTerminal: boolean;
}

/** Comes to a complete plan. @throws InputError with all that is missing or wrong. */
async function gather(
  options: InitOptions,
  answers: Answers | undefined,
  { place, before, backend, isTerminal }: Situation,
): Promise<Plan> {
  const { settings, problems }: Gathered = await gatherSettings({
    place,
    before,
    settings: givenSettings(answers, options.set ?? [], before, withSettings),
    isTerminal,
    mayReplace: options.replace === true,
  });
  if (isTerminal && problems.length > 0)
    throw new InputError(`Invalid settings in ${place.file}`, problems);
  const gaps: Gaps = { problems: [...problems], notes: [] };
  if (backend === undefined) gaps.problems.push(NO_BACKEND);
  const peerKey = options.peerKey ?? answers?.options.peerKey;
  const secrets = await gatherSecrets({
    ...{ settings, before, isTerminal, peerKey, gaps },
    stack: place.stack,
    b2KeyFile: options.b2KeyFile,
  });
  const passphrase =
    backend === undefined ? undefined : await gatherPassphrase(backend, before, isTerminal, gaps);
  if (!isTerminal && options.yes !== true) gaps.problems.push(NO_YES);
  if (gaps.problems.length > 0) {
    throw new InputError("Something is missing or wrong, and nothing was changed", gaps.problems);
  }
  if (backend === undefined) throw new Error("There is no backend");
  return {
    ...{ ...place, before, settings, passphrase },
    backend: backend.url,
    isNewBackend: backend.isNew,
    isKnown: backend.known !== undefined,
    secrets: secrets.secrets,
    publicKey: secrets.publicKey,
    notes: gaps.notes,
  };
}

const NO_BACKEND: Problem = {
  path: ["backend"],
  message:
    "got nothing: Pulumi is not logged in. Log in with: pulumi login file://~/.fort-offsite; or give --backend file://~/.fort-offsite, and this does it",
};

const NO_YES: Problem = {
  path: ["yes"],
  message: "got nothing, and there is no terminal to ask at. Say that all this is meant with --yes",
};

function isDone({ before, settings, secrets, isKnown, isNewBackend }: Plan): boolean {
  const isSame = before.isFilledIn && isDeepStrictEqual(settings, before.settings);
  return isSame && isKnown && !isNewBackend && Object.keys(secrets).length === 0;
}

/** What is about to happen. */
function summary(plan: Plan): string {
  const settings = stringify(plan.settings, { lineWidth: 0 }).trimEnd().replaceAll(/^/gm, "  ");
  const keys = Object.keys(plan.secrets);
  const steps = [
    `write these settings to ${plan.file}, encrypted: ${keys.length === 0 ? "nothing new" : keys.join(", ")}`,
    plan.isNewBackend
      ? `log Pulumi in to ${plan.backend}`
      : `use Pulumi's state at ${plan.backend}`,
    plan.isKnown
      ? `take the stack ${plan.stack} that is there`
      : `make the stack ${plan.stack} in it`,
  ];
  const list = steps.map((step) => `  - ${step}`).join("\n");
  return `\nThe settings:\n\n${printableLines(settings)}\n\nThis will:\n${list}\nNothing is made at Backblaze or at the peer: that is pulumi up's.\n`;
}

function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
