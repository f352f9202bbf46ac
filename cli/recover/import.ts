/** Hands what comes back to `pulumi import`, secrets through private files that go at once. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { interruption } from "../interruption.ts";
import { withScratch } from "../scratch.ts";
import type { OperatorStack } from "../stack.ts";
import { BUCKET, COMPONENT, KEY, type TargetPlan } from "./plan.ts";

/** One resource of the file that `pulumi import` reads. */
interface Imported {
  readonly type: string;
  readonly name: string;
  readonly component?: true;
  readonly id?: string;
  readonly parent?: string;
  readonly version?: string;
}

/** The file, and the secrets that its ids name by their place. */
export interface ImportFile {
  readonly nameTable: Readonly<Record<string, string>>;
  readonly resources: readonly Imported[];
}

/**
 * Makes the import file.
 *
 * @param version - of the B2 package, so that the program's own provider is the one that imports.
 * @param keep - puts a secret into a private file and says which.
 */
export async function importFile(
  plans: readonly TargetPlan[],
  version: string,
  keep: (secret: string) => Promise<string>,
): Promise<ImportFile> {
  const nameTable: Record<string, string> = {};
  const resources: Imported[] = [];
  for (const { target, component, bucket, keys } of plans) {
    const below = { parent: target, version };
    const own: Imported[] = [];
    if (bucket !== undefined && !bucket.isHere) {
      own.push({ type: BUCKET, name: `${target}-bucket`, id: bucket.id, ...below });
    }
    for (const { resource, outcome } of keys) {
      if (outcome.kind !== "import") continue;
      const id = `${outcome.id}@${await keep(outcome.secret)}`;
      own.push({ type: KEY, name: resource, id, ...below });
    }
    if (own.length === 0) continue;
    if (component === undefined) resources.push({ type: COMPONENT, name: target, component: true });
    else nameTable[target] = component;
    resources.push(...own);
  }
  return { nameTable, resources };
}

/**
 * Imports what the plans say, and looks afterwards whether it is there.
 *
 * @throws Error where it is not, or not with its secret.
 */
export async function importAll(stack: OperatorStack, plans: readonly TargetPlan[]): Promise<void> {
  await withScratch(async (folder) => {
    let count = 0;
    const write = async (name: string, content: string) => {
      const file = join(folder, name);
      await writeFile(file, content, { mode: 0o600, flag: "wx" });
      return file;
    };
    const content = await importFile(plans, await packageVersion(), (secret) =>
      write(`secret-${++count}`, secret),
    );
    const file = await write("import.json", JSON.stringify(content));
    const how = ["--generate-code=false", "--protect=false", "--yes", "--skip-preview"];
    const exitCode = await stack.show(["import", "--file", file, ...how]);
    interruption.throwIfAborted();
    if (exitCode !== 0) {
      throw new Error(
        "pulumi import did not take everything; what it said is above. What it took stays: run offsite recover again for the rest",
      );
    }
  });
  await check(stack, plans);
}

async function check(stack: OperatorStack, plans: readonly TargetPlan[]): Promise<void> {
  const resources = await stack.resources();
  for (const { resource, outcome } of plans.flatMap(({ keys }) => keys)) {
    if (outcome.kind !== "import") continue;
    const found = resources.find(({ type, urn }) => type === KEY && urn.endsWith(`::${resource}`));
    if (found?.id !== outcome.id || found.outputs.applicationKey !== outcome.secret) {
      throw new Error(
        `${resource} is not in the state as it was imported. Do not run pulumi up; look at it with: pulumi stack export`,
      );
    }
  }
}

async function packageVersion(): Promise<string> {
  const file = fileURLToPath(new URL("../../sdks/b2/package.json", import.meta.url));
  return z.object({ version: z.string() }).parse(JSON.parse(await readFile(file, "utf8"))).version;
}
