/** What no rule knows, it cannot pass: other resources, and other commands than the program's. */
import { asRoot } from "../../peer/script.ts";
import {
  error,
  warning,
  type ResourceFacts,
  type ResourceRule,
  type StackRule,
  type Verdict,
} from "../model.ts";
import { targetOf } from "../names.ts";
import * as types from "../types.ts";
import { asList, isObject, isUnseen, shown } from "../values.ts";

const KNOWN: ReadonlySet<string> = new Set([
  types.B2_BUCKET,
  types.B2_KEY,
  types.R2_BUCKET,
  types.R2_LOCK,
  types.R2_LIFECYCLE,
  types.R2_MANAGED_DOMAIN,
  types.R2_CUSTOM_DOMAIN,
  types.REMOTE_COMMAND,
  types.LOCAL_COMMAND,
  types.BUNDLE,
  "cloudflare:index/dnsRecord:DnsRecord",
]);

export const knownResources: ResourceRule = {
  name: "known-resources",
  description: "There is no resource that no rule knows",
  of: "resource",
  judge: (resource) => {
    const { type, name, inputs } = resource;
    if (type === types.LOCAL_COMMAND) return isSealing(inputs) ? [] : [unknownCommand(resource)];
    const isKnown =
      KNOWN.has(type) ||
      type.startsWith("pulumi:") ||
      types.isCloudflareToken(type) ||
      types.targetTypeOf(type) !== undefined;
    if (isKnown) return [];
    const message = `its type is ${shown(type)}, which no rule knows: whether it shows or loses data is for a person to read. Write a rule for it`;
    return [warning(resource, `the resource "${name}"`, message)];
  },
};

/** Whether a local command is the one that writes a file of the bundle. */
function isSealing({ interpreter, environment }: ResourceFacts["inputs"]): boolean {
  const words = asList(interpreter) ?? [];
  return words.at(-1) === "components/seal.sh" && isObject(environment);
}

function unknownCommand(command: ResourceFacts): Verdict {
  const message =
    "it is none of the program's commands, so that what it does is for a person to read. Write a rule for it";
  return warning(command, `the command "${command.name}"`, message);
}

/** What each kind of peer's target is put there by. */
const COMMAND_OF: Readonly<Record<string, string>> = { RestServer: "server", Sftp: "directory" };

export const peerGetsWhatIsShown: StackRule = {
  name: "peer-gets-what-is-shown",
  description: "What runs on a peer is the installation, with the files that were judged",
  of: "stack",
  judge: (resources) => {
    const commands = resources.filter(({ type }) => type === types.REMOTE_COMMAND);
    const targets = resources.filter(
      ({ type }) => COMMAND_OF[types.targetTypeOf(type) ?? ""] !== undefined,
    );
    return [
      ...commands.flatMap((command) => {
        const target = targets.find((each) => commandOf(each) === command.name);
        return target === undefined ? [unknownCommand(command)] : commandProblems(command, target);
      }),
      ...targets
        .filter((target) => !commands.some(({ name }) => name === commandOf(target)))
        .map((target) => {
          const message = `there is no command "${commandOf(target)}" that puts it on the peer, so that nobody knows what is there`;
          return error(target, target.name, message);
        }),
    ];
  },
};

function commandOf({ type, name }: ResourceFacts): string {
  return `${name}-${COMMAND_OF[types.targetTypeOf(type) ?? ""] ?? ""}`;
}

function commandProblems(command: ResourceFacts, target: ResourceFacts): Verdict[] {
  const subject = targetOf(command.name);
  const { create, update, delete: remove, stdin } = command.inputs;
  const install = asRoot("install");
  const isInstall = (value: unknown) =>
    value === install ||
    (typeof value === "string" && /^ repair-[\w-]+$/.test(value.replace(install, "")));
  const wrong = [
    ...(isInstall(create) ? [] : ["create"]),
    ...(update === undefined || isInstall(update) ? [] : ["update"]),
    ...(remove === undefined || remove === asRoot("remove") ? [] : ["delete"]),
  ].map((name) =>
    error(
      command,
      subject,
      `${name} of the command "${command.name}" is not the installation's: something else would run on the peer, as root. Take it back`,
    ),
  );
  // A preview's JSON masks it; a policy pack is shown it.
  if (typeof stdin !== "string" || isUnseen(stdin)) return wrong;
  const { files } = target.inputs;
  const other = Object.entries(isObject(files) ? files : {})
    .filter(
      ([, text]) => typeof text === "string" && !isUnseen(text) && !stdin.includes(base64(text)),
    )
    .map(([name]) =>
      error(
        command,
        subject,
        `the ${shown(name)} that is put on the peer is another than the one that is shown and judged`,
      ),
    );
  return [...wrong, ...other];
}

function base64(text: unknown): string {
  return Buffer.from(String(text), "utf8").toString("base64");
}
