/** The bundle as the state has it: each file with its content, and what it was sealed with. */
import { relative } from "node:path";
import { z } from "zod";
import { printable } from "../../hub/format.ts";
import type { StateResource } from "../stack.ts";

/** A file of the bundle. The content may be secret: never print it. */
export interface DeployedFile {
  /** Below the bundle's directory. */
  readonly path: string;
  readonly content: string;
  /** Public keys, one a line; empty where it is not sealed. */
  readonly recipients: string;
  readonly format: "age" | "sops" | "plain" | "public";
  /** SHA-256 of the file as the last update wrote it; undefined where the state does not have it. */
  readonly written: string | undefined;
}

/** What is deployed. */
export interface DeployedBundle {
  /** As in the settings, absolute or relative to the project. */
  readonly directory: string;
  readonly files: readonly DeployedFile[];
}

const TYPE = "command:local:Command";
const PARENT = "fort-offsite:index:Bundle$";

const resource = z.object({
  inputs: z.object({
    stdin: z.string(),
    environment: z.object({
      DIRECTORY: z.string().min(1),
      FILE: z.string(),
      FORMAT: z.enum(["age", "sops", "plain", "public"]),
      RECIPIENTS: z.string(),
    }),
  }),
  outputs: z.object({ stdout: z.string().optional() }),
});

/**
 * Finds the bundle in the state.
 *
 * @returns undefined where the stack has none.
 * @throws Error where a file's resource is none that this program makes.
 */
export function deployedBundle(resources: readonly StateResource[]): DeployedBundle | undefined {
  const directories = new Set<string>();
  const files = resources
    .filter(({ type, urn, delete: isDoomed }) => {
      return type === TYPE && urn.includes(PARENT) && isDoomed !== true;
    })
    .map((each): DeployedFile => {
      const parsed = resource.safeParse(each);
      if (!parsed.success) {
        throw new Error(
          `${printable(each.urn)} in the state is no file of a bundle. Run pulumi up`,
        );
      }
      const { environment, stdin } = parsed.data.inputs;
      const { stdout = "" } = parsed.data.outputs;
      directories.add(environment.DIRECTORY);
      const path = relative(environment.DIRECTORY, environment.FILE);
      if (path === "" || path.startsWith("..")) {
        throw new Error(`${printable(each.urn)} in the state is a file outside of the bundle`);
      }
      return {
        path,
        content: stdin,
        recipients: environment.RECIPIENTS,
        format: environment.FORMAT,
        written: /^[0-9a-f]{64}$/.test(stdout) ? stdout : undefined,
      };
    });
  const [directory, ...others] = directories;
  if (directory === undefined) return undefined;
  if (others.length > 0) {
    throw new Error(
      `the bundle is half-way between ${printable([...directories].join(" and "))}: an update was not finished. Run pulumi up`,
    );
  }
  return { directory, files };
}
