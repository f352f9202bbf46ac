/** From a target's settings to its component: the one place that knows all types. */
import type * as pulumi from "@pulumi/pulumi";
import type { TargetConfig } from "../config/stack.ts";
import { B2Target } from "./b2-target.ts";
import { prepareRestServer, RestServerTarget } from "./rest-server-target.ts";
import { S3Target } from "./s3-target.ts";
import { SftpTarget } from "./sftp-target.ts";
import type { OffsiteTarget, TargetContext } from "./target.ts";

/** Makes the component for a target of any type. */
export async function newTarget(
  name: string,
  target: TargetConfig,
  context: TargetContext,
  opts?: pulumi.ComponentResourceOptions,
): Promise<OffsiteTarget> {
  switch (target.type) {
    case "b2":
      return new B2Target(name, { ...context, target }, opts);
    case "rest-server": {
      const { before } = context;
      const prepared = await prepareRestServer(name, { target, before });
      return new RestServerTarget(name, { ...context, ...prepared }, opts);
    }
    case "r2": {
      // Cloudflare's SDK is large: only a stack that has such a target waits for it.
      const { R2Target } = await import("./r2-target.ts");
      return new R2Target(name, { ...context, target }, opts);
    }
    case "s3":
      return new S3Target(name, { ...context, target }, opts);
    case "sftp":
      return new SftpTarget(name, { ...context, target }, opts);
  }
}
