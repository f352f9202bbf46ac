/** From the steps of a preview to changes: one for each resource that does not stay as it is. */
import { nameOf, typeOf, type Preview, type PreviewState, type Step } from "./preview.ts";

/** What becomes of a resource. */
export type Operation = "create" | "import" | "update" | "replace" | "delete" | "forget";

/** What happens to one resource. */
export interface Change {
  readonly operation: Operation;
  readonly urn: string;
  readonly type: string;
  /** The resource's own name. */
  readonly name: string;
  /** The name of the component that it belongs to: a target's, or "bundle". */
  readonly owner: string | undefined;
  /** The type of that component. */
  readonly ownerType: string | undefined;
  readonly before: PreviewState | undefined;
  readonly after: PreviewState | undefined;
  /** Inputs that differ, as the engine tells them. */
  readonly reasons: readonly string[];
}

const STACK = "pulumi:pulumi:Stack";
const COMPONENT = "fort-offsite:index:";

/** Whether a change is of one of our components: a name for others, and nothing by itself. */
export function isComponent({ type }: Pick<Change, "type">): boolean {
  return type.startsWith(COMPONENT);
}

/** Every change, in the order of the preview. The stack itself and providers are none. */
export function changesOf({ steps }: Preview): Change[] {
  const byUrn = new Map<string, Step[]>();
  for (const step of steps) {
    if (step.op === "refresh") continue;
    byUrn.set(step.urn, [...(byUrn.get(step.urn) ?? []), step]);
  }
  return [...byUrn.values()].flatMap((all) => changeOf(all) ?? []);
}

function changeOf(steps: readonly Step[]): Change | undefined {
  const [first] = steps;
  const operation = operationOf(new Set(steps.map(({ op }) => op)));
  if (first === undefined || operation === undefined) return undefined;
  const type = typeOf(first);
  if (type === STACK || type.startsWith("pulumi:providers:")) return undefined;
  const before = steps.map(({ oldState }) => oldState).find((state) => state != null);
  const after = steps
    .filter(({ op }) => !/^(?:delete|discard)/.test(op))
    .map(({ newState }) => newState)
    .find((state) => state != null);
  const parent = ownerOf(after?.parent ?? before?.parent);
  return {
    ...{ operation, type, urn: first.urn, name: nameOf(first.urn) },
    owner: parent && nameOf(parent),
    ownerType: parent && lastType(parent),
    before: before ?? undefined,
    after: after ?? undefined,
    reasons: [...new Set(steps.flatMap((step) => reasonsOf(step)))],
  };
}

function operationOf(ops: ReadonlySet<string>): Operation | undefined {
  const has = (...names: readonly string[]) => names.some((name) => ops.has(name));
  if (has("replace", "create-replacement", "delete-replaced", "import-replacement")) {
    return "replace";
  }
  if (has("delete") && has("create", "import")) return "replace";
  if (has("delete")) return "delete";
  if (has("discard", "discard-replaced", "remove-pending-replace")) return "forget";
  if (has("import")) return "import";
  if (has("create")) return "create";
  return has("update") ? "update" : undefined;
}

/** A parent that has a name among ours. */
function ownerOf(parent: string | undefined): string | undefined {
  return parent !== undefined && lastType(parent).startsWith(COMPONENT) ? parent : undefined;
}

function lastType(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}

function reasonsOf({ detailedDiff, diffReasons, replaceReasons }: Step): string[] {
  const detailed = Object.keys(detailedDiff ?? {});
  return detailed.length > 0 ? detailed : [...(diffReasons ?? []), ...(replaceReasons ?? [])];
}
