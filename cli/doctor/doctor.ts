/** `offsite doctor`: looks at everything that the other commands need, and changes nothing. */
import { existsSync } from "node:fs";
import { messageOf } from "../../hub/errors.ts";
import { readSettingsFile } from "../init/settings-file.ts";
import { textAt } from "../init/draft.ts";
import { interruption } from "../interruption.ts";
import type { StackOptions } from "../options.ts";
import { findProject, settingsFile } from "../stack.ts";
import { checkBundle, checkOperators } from "./bundle.ts";
import { checkNode, checkPrograms } from "./machine.ts";
import { checkStack } from "./pulumi.ts";
import { isTrouble, reportOf, type Check, type DoctorReport } from "./report.ts";
import { checkB2, checkCloudflare, checkPeer } from "./services.ts";
import { checkSftpPeer } from "./sftp.ts";

/**
 * Looks at the machine, Pulumi, the stack and the places that it needs.
 *
 * @param tell - told what is being looked at.
 */
export async function doctor(
  options: StackOptions,
  tell: (step: string) => void,
): Promise<DoctorReport> {
  const project = projectOf(options);
  const machine = [
    ...(await guarded("machine", "Node.js", checkNode)),
    ...(await guarded("machine", "programs", () => checkPrograms(sealFormat(project, options)))),
  ];
  if (typeof project !== "string") return reportOf([...machine, project.check]);
  tell("Asking Pulumi ...");
  const has = (name: string) => !machine.some((check) => check.name === name && isTrouble(check));
  const stack = await checkStack(project, options, has("pulumi"));
  const { config, raw } = stack;
  if (config === undefined || raw === undefined) {
    return reportOf([...machine, ...stack.checks, NOT_REACHED]);
  }
  tell("Asking Backblaze and the peers ...");
  const peers = Object.entries(config.targets).map(async ([name, target]) =>
    target.type === "rest-server"
      ? await guarded(`peer (${name})`, "SSH login", () =>
          checkPeer(name, target, config.sshPrivateKey),
        )
      : target.type === "sftp"
        ? await guarded(`peer (${name})`, "SSH login", () =>
            checkSftpPeer({ stack: stack.stack ?? "prod", name, target, config }),
          )
        : [],
  );
  const services = await Promise.all([
    guarded("cloud", "B2 login", () => checkB2(config, raw)),
    guarded("cloud", "Cloudflare token", () => checkCloudflare(config, raw)),
    ...peers,
  ]);
  const bundle = await guarded("bundle", "directory", () => [
    checkBundle(project, config.seal.directory),
    ...checkOperators(config.seal),
  ]);
  return reportOf([...machine, ...stack.checks, ...services.flat(), ...bundle]);
}

const NOT_REACHED: Check = {
  area: "places",
  name: "Backblaze, peers, bundle",
  state: "unknown",
  found: "need the settings and the passphrase",
};

/** One check that fails in a way of its own must not hide the others. */
async function guarded(
  area: string,
  name: string,
  look: () => Promise<Check[]> | Check[],
): Promise<Check[]> {
  try {
    return await look();
  } catch (error) {
    interruption.throwIfAborted();
    return [{ area, name, state: "unknown", found: messageOf(error) }];
  }
}

function projectOf(options: StackOptions): string | { readonly check: Check } {
  try {
    return findProject(options.project);
  } catch (error) {
    const todo = "Go to fort-offsite's folder, or name it with --project";
    const check = {
      area: "pulumi",
      name: "project",
      state: "missing",
      found: messageOf(error),
      todo,
    } as const;
    return { check };
  }
}

/** How the bundle will be sealed, as far as it is known before anything is checked. */
function sealFormat(
  project: string | { readonly check: Check },
  options: StackOptions,
): string | undefined {
  if (typeof project !== "string") return undefined;
  const file = settingsFile(project, options.stack ?? "prod", options);
  if (!existsSync(file)) return undefined;
  try {
    return textAt(readSettingsFile(file).settings, ["seal", "format"]) || undefined;
  } catch {
    return undefined;
  }
}
