/**
 * `node tools/bootstrap.mjs .ci/forgejo.ts`: writes the workflows for Forgejo, made from those for
 * GitHub. They differ where the forges do: where an action is had, what a runner is called, and that
 * Forgejo has no environments to guard an update.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const ROOT = path.dirname(import.meta.dirname);
const FROM = path.join(ROOT, ".github", "workflows");
const TO = path.join(ROOT, ".forgejo", "workflows");

const GUARD = `    # Its reviewers approve; its secrets alone can change anything.
    environment: production
`;
const FORGEJO_GUARD = `    # Forgejo has no environments: an update is started by hand (Actions, update, Run workflow), unless
    # the variable UPDATE_ON_PUSH says that a merge is all the approval that is wanted.
    if: github.event_name == 'workflow_dispatch' || vars.UPDATE_ON_PUSH == 'yes'
`;

/** A workflow for Forgejo. */
export function forForgejo(name: string, text: string): string {
  const changed = text
    .replaceAll(/uses: actions\//g, "uses: https://code.forgejo.org/actions/")
    .replaceAll(/uses: pulumi\//g, "uses: https://github.com/pulumi/")
    .replaceAll("'ubuntu-24.04'", "'docker'")
    .replace(GUARD, FORGEJO_GUARD);
  return `# Made by .ci/forgejo.ts from .github/workflows/${name}: change that one.\n${changed}`;
}

/** All of them, by file name. */
export function forgejoWorkflows(): Map<string, string> {
  const files = readdirSync(FROM).filter((name) => name.endsWith(".yaml"));
  return new Map(
    files.map((name) => [name, forForgejo(name, readFileSync(path.join(FROM, name), "utf8"))]),
  );
}

if (process.argv[1] === import.meta.filename) {
  mkdirSync(TO, { recursive: true });
  for (const [name, text] of forgejoWorkflows()) writeFileSync(path.join(TO, name), text);
}
