/** One file of the bundle: its path, its seal, and the resource that keeps it as it should be. */
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { SealConfig } from "../config/stack.ts";

/** A file of the bundle. */
export interface BundleFile {
  /** Where it belongs in the bundle, without the suffix that its format adds. */
  readonly path: string;
  readonly content: pulumi.Input<string>;
  /** The public keys of the machines that read it, or everybody. */
  readonly readers: readonly string[] | "everybody";
}

const SUFFIX = { age: ".age", sops: ".sops", plain: "" } as const;

/** The path of a file in the bundle as its seal names it. */
export function sealedPath({ format }: SealConfig, { path, readers }: BundleFile): string {
  return readers === "everybody" ? path : path + SUFFIX[format];
}

/**
 * The keys that a file is encrypted to: its readers' and the operators', without comments, each
 * once, in an order that does not depend on the config's.
 */
export function recipientsOf({ operators }: SealConfig, { readers }: BundleFile): string[] {
  if (readers === "everybody") return [];
  const bare = [...readers, ...operators].map((key) => key.split(" ").slice(0, 2).join(" "));
  return [...new Set(bare)].sort();
}

/**
 * Keeps a file of the bundle: written by `age` or `sops` with its content on standard input. As
 * long as content and recipients stay the same it is not written again, and keeps its bytes; when
 * it leaves the stack it is removed.
 */
export function newSealedFile(
  seal: SealConfig,
  file: BundleFile,
  opts: pulumi.CustomResourceOptions,
): command.local.Command {
  const isPublic = file.readers === "everybody";
  const place = `${seal.directory}/${sealedPath(seal, file)}`;
  return new command.local.Command(
    file.path,
    {
      interpreter: ["/bin/sh", "components/seal.sh"],
      create: "write",
      update: "write",
      delete: "remove",
      stdin: isPublic ? file.content : pulumi.secret(file.content),
      environment: {
        FILE: place,
        FORMAT: isPublic ? "public" : seal.format,
        RECIPIENTS: recipientsOf(seal, file).join("\n"),
      },
      // Another place is another file, and the one at the old place goes.
      triggers: [place],
      addPreviousOutputInEnv: false,
    },
    opts,
  );
}
