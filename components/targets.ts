/** From a target's settings to its component: the one place that knows all types. */
import type * as pulumi from "@pulumi/pulumi";
import type { TargetConfig } from "../config/stack.ts";
import { B2Target } from "./b2-target.ts";
import { RestServerTarget } from "./rest-server-target.ts";
import type { OffsiteTarget, TargetContext } from "./target.ts";

/** Makes the component for a target of any type. */
export function newTarget(
  name: string,
  target: TargetConfig,
  context: TargetContext,
  opts?: pulumi.ComponentResourceOptions,
): OffsiteTarget {
  switch (target.type) {
    case "b2":
      return new B2Target(name, { ...context, target }, opts);
    case "rest-server":
      return new RestServerTarget(name, { ...context, target }, opts);
    case "r2":
    case "s3":
    case "sftp":
      throw new RangeError(`Targets of type "${target.type}" are not built yet`);
  }
}
