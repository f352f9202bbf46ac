/** What the cost depends on, as the settings have it, and as it is deployed. */
import { readFile } from "node:fs/promises";
import { parseDocument } from "yaml";
import { z } from "zod";
import { manifestSchema, type Manifest, type TargetManifest } from "../../config/manifest.ts";
import { NAMESPACE } from "../../config/parse.ts";
import type { PriceOverrides } from "../../config/prices.ts";
import { InputError, problemsOf } from "../../config/problems.ts";
import { stackConfigSchema, type TargetConfig } from "../../config/stack.ts";
import type { StateResource } from "../stack.ts";
import type { CostInput, CostTarget } from "./estimate.ts";

/** The settings that a cost depends on. None is secret, so that no passphrase is needed. */
const settingsSchema = stackConfigSchema.pick({ hosts: true, targets: true, prices: true });

const fileSchema = z.object({ config: z.record(z.string(), z.unknown()) });

/** What a stack's file says. */
export interface CostSettings {
  readonly input: CostInput;
  readonly prices: PriceOverrides | undefined;
}

/**
 * Reads the stack's file as it is, deployed or not.
 *
 * @throws InputError with all that is wrong in the settings that matter here.
 */
export async function readCostSettings(file: string, stack: string): Promise<CostSettings> {
  const document = parseDocument(await readFile(file, "utf8"));
  const title = `Invalid stack config "${stack}"`;
  const problem = document.errors[0];
  if (problem !== undefined) {
    const place = problem.linePos?.[0].line ?? "?";
    throw new InputError(title, [
      {
        path: [file],
        message: `is no YAML: line ${place}: ${problem.message.split("\n")[0] ?? ""}`,
      },
    ]);
  }
  const found = fileSchema.safeParse(document.toJS());
  return costSettingsOf(found.success ? found.data.config : {}, title);
}

/**
 * Takes what a cost depends on out of a stack's settings.
 *
 * @param config - all settings by key, with their namespaces.
 * @param title - what is wrong as a whole, where something is.
 * @throws InputError with all that is wrong in the settings that matter here.
 */
export function costSettingsOf(
  config: Readonly<Record<string, unknown>>,
  title: string,
): CostSettings {
  const names = Object.keys(settingsSchema.shape);
  const given = Object.fromEntries(
    names
      .map((name) => [name, config[`${NAMESPACE}:${name}`]] as const)
      .filter(([, value]) => value !== undefined),
  );
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success)
    throw new InputError(
      title,
      problemsOf(parsed.error, given, () => false),
    );
  const { hosts, targets, prices } = parsed.data;
  return { input: { hosts, targets: mapValues(targets, costTarget) }, prices };
}

function costTarget(target: TargetConfig | TargetManifest): CostTarget {
  switch (target.type) {
    case "b2":
      return { provider: "b2", keepHiddenDays: target.keepHiddenDays };
    case "r2":
      return { provider: "r2", keepHiddenDays: keptDays(target.keepHiddenDays) };
    case "s3":
      return { provider: "wasabi", keepHiddenDays: 0 };
    case "rest-server":
    case "sftp":
      return { provider: "peer", maxSizeGiB: target.maxSizeGiB };
  }
}

/** What is never removed is charged for as long as a year, in figures for a month. */
function keptDays(days: number | "forever"): number {
  return days === "forever" ? 365 : days;
}

/** What is deployed, from its manifest, which knows sizes and no growth. */
export function costInputOf({ hosts, targets }: Manifest): CostInput {
  return {
    hosts: mapValues(hosts, ({ sizeGiB }) => ({ sizeGiB, growthGiBPerMonth: 0 })),
    targets: mapValues(targets, costTarget),
  };
}

/** What the stack has deployed; undefined where it has no manifest that can be read here. */
export function deployedInput(resources: readonly StateResource[]): CostInput | undefined {
  const manifest = resources.find(
    ({ type, urn }) => type === "command:local:Command" && urn.endsWith("::offsite.json"),
  )?.inputs.stdin;
  if (typeof manifest !== "string") return undefined;
  const parsed = manifestSchema.safeParse(parseJson(manifest));
  return parsed.success ? costInputOf(parsed.data) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function mapValues<From, To>(
  values: Readonly<Record<string, From>>,
  map: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, map(value)] as const),
  );
}
