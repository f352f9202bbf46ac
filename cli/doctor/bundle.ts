/** Whether the bundle's directory can be written, and is ours. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { counted } from "../../hub/format.ts";
import type { SealConfig } from "../../config/stack.ts";
import { MARK } from "../bundle/mark.ts";
import { NO_OPERATORS } from "../init/own-key.ts";
import { isWritable } from "./pulumi.ts";
import type { Check } from "./report.ts";

/** Looks at the directory as `pulumi up` would use it. */
export function checkBundle(project: string, directory: string): Check {
  const folder = resolve(project, directory);
  const check = { area: "bundle", name: "directory" };
  if (!existsSync(folder)) {
    const parent = existingParent(folder);
    if (isWritable(parent))
      return { ...check, state: "ok", found: `${folder}, which pulumi up makes` };
    const todo = `Make ${folder}, or choose another directory as seal.directory`;
    return { ...check, state: "wrong", found: `${parent} cannot be written to`, todo };
  }
  if (!statSync(folder).isDirectory()) {
    const todo = "Choose a directory of its own as seal.directory";
    return { ...check, state: "wrong", found: `${folder} is no directory`, todo };
  }
  if (!isWritable(folder)) {
    const todo = `Make ${folder} a directory that you may write to`;
    return { ...check, state: "wrong", found: `${folder} cannot be written to`, todo };
  }
  const files = readdirSync(folder);
  if (files.includes(MARK)) return { ...check, state: "ok", found: folder };
  if (files.length === 0) return { ...check, state: "ok", found: `${folder}, empty` };
  const todo = "Choose a directory of its own as seal.directory";
  return {
    ...check,
    state: "wrong",
    found: `${folder} has files that fort-offsite did not write`,
    todo,
  };
}

/** Whether the operator can open the sealed files, which a lost state comes back from. */
export function checkOperators({ format, operators }: SealConfig): Check[] {
  if (format === "plain") return [];
  const check = { area: "bundle", name: "operators" };
  if (operators.length > 0) {
    return [{ ...check, state: "ok", found: `${counted(operators.length, "key")} of yours` }];
  }
  return [
    {
      ...{ ...check, state: "optional", found: `none: ${NO_OPERATORS}` },
      todo: "Add your public key to seal.operators, and run pulumi up",
    },
  ];
}

function existingParent(folder: string): string {
  let parent = dirname(folder);
  while (!existsSync(parent)) parent = dirname(parent);
  return parent;
}
