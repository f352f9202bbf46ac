/** Previews as the engine writes them, made by hand. */
import { readPreview, type Preview } from "../../../cli/report/preview.ts";

/** A resource's state, as far as a test says it. */
export interface State {
  readonly inputs?: Record<string, unknown>;
  readonly outputs?: Record<string, unknown>;
  readonly protect?: boolean;
  readonly retainOnDelete?: boolean;
}

/** A step. */
export interface Given {
  readonly op: string;
  readonly type: string;
  readonly name: string;
  /** The component: its type's last part, and its name. */
  readonly parent?: readonly [string, string];
  readonly old?: State;
  readonly now?: State;
  readonly reasons?: readonly string[];
}

export const BUCKET = "b2:index/bucket:Bucket";
export const KEY = "b2:index/applicationKey:ApplicationKey";
export const REMOTE = "command:remote:Command";
export const LOCAL = "command:local:Command";
export const CLOUD = ["B2Target", "cloud"] as const;
export const PEER = ["RestServerTarget", "peer"] as const;
export const BUNDLE = ["Bundle", "bundle"] as const;

const urnOf = (type: string, name: string) => `urn:pulumi:prod::fort-offsite::${type}::${name}`;

function stepOf({ op, type, name, parent, old, now, reasons }: Given) {
  const [kind, owner] = parent ?? [];
  const own = kind === undefined ? undefined : `fort-offsite:index:${kind}`;
  const urn = urnOf(own === undefined ? type : `${own}$${type}`, name);
  const parentUrn = own === undefined || owner === undefined ? undefined : urnOf(own, owner);
  const state = (given: State | undefined) =>
    given === undefined ? undefined : { urn, type, custom: true, parent: parentUrn, ...given };
  return {
    ...{ op, urn, oldState: state(old), newState: state(now), diffReasons: reasons },
    detailedDiff: null,
  };
}

/** The JSON of a preview. */
export function previewText(
  steps: readonly Given[],
  more: Readonly<Record<string, unknown>> = {},
): string {
  const stack = stepOf({ op: "same", type: "pulumi:pulumi:Stack", name: "fort-offsite-prod" });
  return JSON.stringify({ config: {}, steps: [stack, ...steps.map(stepOf)], ...more });
}

/** A preview. */
export function previewOf(
  steps: readonly Given[],
  more: Readonly<Record<string, unknown>> = {},
): Preview {
  return readPreview({ text: previewText(steps, more) });
}

/** A file of the bundle that is written again. */
export const file = (name: string, op = "update"): Given => ({
  ...{ op, type: LOCAL, name, parent: BUNDLE, reasons: ["stdin"] },
  old: { inputs: { stdin: "[secret]" } },
  now: { inputs: { stdin: "[secret]" } },
});
