/** Writes what the operator has agreed to: the stack first, then its file, as a whole or not at all. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../replace-file.ts";
import { withScratch } from "../scratch.ts";
import type { Plan } from "./plan.ts";
import { say } from "./prompts.ts";
import { lastLine, makeBackendFolder, runPulumi, usesPassphrase } from "./pulumi.ts";
import { settingsText } from "./settings-file.ts";

/**
 * Makes the stack and writes its file. Pulumi puts the secrets into a copy; that takes the file's
 * place in one step, so that a kill leaves the old file or the new one. Done again, it goes on.
 *
 * @throws Error with Pulumi's words where it refuses; the file is then as it was.
 */
export async function writeStack(plan: Plan): Promise<void> {
  const text = await withScratch((folder) => stage(plan, folder));
  if (text !== plan.before.text) {
    replaceFile(plan.file, plan.before.text, text);
    say(`Wrote ${plan.file}.`);
  }
  if (plan.isNewBackend) await must(["login", plan.backend], { cwd: plan.project, env: {} });
  await must(["stack", "select", plan.stack], { cwd: plan.project, env: environment(plan) });
}

/** Has Pulumi make the stack, and encrypt the secrets into a copy of the file. */
async function stage(plan: Plan, folder: string): Promise<string> {
  const copy = join(folder, `Pulumi.${plan.stack}.yaml`);
  copyFileSync(join(plan.project, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
  writeFileSync(copy, settingsText(plan.file, plan.before, plan.settings), { mode: 0o600 });
  const options = { cwd: folder, env: environment(plan) };
  if (plan.isNewBackend) makeBackendFolder(plan.backend);
  if (!plan.isKnown) {
    say(`Making the stack ${plan.stack} ...`);
    await must(["stack", "init", plan.stack, "--no-select"], options);
  }
  for (const [key, value] of Object.entries(plan.secrets)) {
    say(`Setting the secret ${key} ...`);
    await must(["config", "set", "--secret", key, "--stack", plan.stack], {
      ...options,
      input: value,
    });
  }
  return readFileSync(copy, "utf8");
}

function environment(plan: Plan): Record<string, string> {
  const { passphrase } = plan;
  return {
    ...(plan.isNewBackend && { PULUMI_BACKEND_URL: plan.backend }),
    ...(passphrase !== undefined &&
      usesPassphrase(plan.backend) && { PULUMI_CONFIG_PASSPHRASE: passphrase }),
  };
}

async function must(
  args: readonly string[],
  options: { cwd: string; env: Record<string, string>; input?: string },
): Promise<void> {
  const { exitCode, stderr } = await runPulumi(args, options);
  if (exitCode === 0) return;
  throw new Error(`pulumi ${args.slice(0, 2).join(" ")} failed: ${lastLine(stderr)}`);
}
