/** What is to be done next. */
import { at, textAt } from "./draft.ts";
import { NO_OPERATORS } from "./own-key.ts";
import type { Plan } from "./plan.ts";
import { targetsOf } from "./secrets.ts";

/** The next steps, the command to type last. */
export function lastWords(plan: Plan): string {
  const notes = [...authorize(plan), ...otherKeys(plan), ...plan.notes, ...noOperators(plan)];
  const stack = plan.stack;
  return [
    "",
    ...notes.flatMap((note) => [note, ""]),
    "Keep safe, elsewhere than on this machine: the passphrase, the file",
    `${plan.file}, Pulumi's state (${plan.backend}), and restic's passwords.`,
    "",
    `Next:`,
    `  npx offsite doctor --stack ${stack}   # is all there that is needed?`,
    `  pulumi preview --stack ${stack}       # what would be made, and nothing is`,
    `  pulumi up --stack ${stack}            # makes it`,
  ].join("\n");
}

function noOperators({ settings }: Plan): string[] {
  const operators = at(settings, ["seal", "operators"]);
  const isOpen = textAt(settings, ["seal", "format"]) === "plain";
  if (isOpen || (Array.isArray(operators) && operators.length > 0)) return [];
  return [`No key of yours is in seal.operators: ${NO_OPERATORS}.`];
}

/** What the clouds and tailnets need beside the settings. */
function otherKeys({ settings, stack }: Plan): string[] {
  const r2 = targetsOf(settings, "r2").length === 0;
  const set = `pulumi config set --stack ${stack} --secret`;
  return [
    ...(r2
      ? []
      : [
          `Before pulumi up, give it an API token of Cloudflare's (docs/targets/r2.md says which): in CLOUDFLARE_API_TOKEN, or with\n${set} cloudflare:apiToken`,
        ]),
    ...targetsOf(settings, "s3").map((name) => {
      const path = `--path 'fort-offsite:targetSecrets.${name}`;
      return `Before pulumi up, set the keys of ${name} (docs/targets/s3.md says what they may do):\n${set} ${path}.sync.accessKeyId'\n${set} ${path}.sync.secretAccessKey'\nand the same with restore, for keys that only read`;
    }),
    ...targetsOf(settings, "rest-server")
      .filter((name) => textAt(settings, ["targets", name, "tunnel", "type"]) === "tailscale")
      .map(
        (name) =>
          `Before pulumi up, set the key with which ${name} joins the tailnet (docs/targets/tunnels.md says which):\n${set} --path 'fort-offsite:targetSecrets.${name}.tailscaleAuthKey'`,
      ),
  ];
}

/** The line that lets the operator in at each peer. */
function authorize(plan: Plan): string[] {
  const { publicKey, settings } = plan;
  if (publicKey === undefined) return [];
  return targetsOf(settings, "rest-server", "sftp").map((name) => {
    const ssh = ["targets", name, "ssh"];
    const user = textAt(settings, [...ssh, "user"], "root");
    const host = textAt(settings, [...ssh, "host"]);
    return [
      `The owner of ${host} lets you in with this line in ~${user}/.ssh/authorized_keys there:`,
      "",
      publicKey,
    ].join("\n");
  });
}
