/** One file of the bundle: its path, its seal, and the resource that keeps it as it should be. */
import { join, normalize } from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { SealConfig } from "../config/stack.ts";
import { sshToAge } from "../credentials/ssh-to-age.ts";

/** A file of the bundle. */
export interface BundleFile {
  /** Where it belongs in the bundle, without the suffix that its format adds. */
  readonly path: string;
  readonly content: pulumi.Input<string>;
  /** The public keys of the machines that read it, or everybody. */
  readonly readers: readonly string[] | "everybody";
  /** How it is sealed where that is not the bundle's way, which those have who run the cluster. */
  readonly format?: "age";
}

const SUFFIX = { age: ".age", sops: ".sops", plain: "" } as const;

/** The bundle's directory in one spelling: the path is what tells a file from another. */
export function bundleDirectory(seal: SealConfig): string {
  return normalize(seal.directory).replace(/\/+$/, "");
}

/** The path of a file in the bundle as its seal names it. */
export function sealedPath(seal: SealConfig, file: BundleFile): string {
  return file.readers === "everybody" ? file.path : file.path + SUFFIX[formatOf(seal, file)];
}

/** How a file is sealed. A bundle in clear text has no file that is. */
export function formatOf(
  seal: Pick<SealConfig, "format">,
  file: Pick<BundleFile, "format">,
): SealConfig["format"] {
  return seal.format === "plain" ? "plain" : (file.format ?? seal.format);
}

/**
 * The keys that a file is encrypted to: its readers' and the operators', without comments, each
 * once, in an order that does not depend on the config's.
 */
export function recipientsOf(seal: SealConfig, file: BundleFile): string[] {
  const { readers } = file;
  if (readers === "everybody") return [];
  const bare = [...readers, ...seal.operators].map((key) => key.split(" ").slice(0, 2).join(" "));
  // sops-nix opens its files with the age key that it makes of the machine's SSH key.
  const keys = formatOf(seal, file) === "sops" ? bare.map(sshToAge) : bare;
  return [...new Set(keys)].sort();
}

/**
 * Keeps a file of the bundle: written by `age` or `sops` with its content on standard input. As
 * long as content and recipients stay the same it is not written again, and keeps its bytes; when
 * it leaves the stack it is removed. Its standard output is the SHA-256 of what was written.
 *
 * @param isWrittenAgain - whether somebody changed it by hand, so that it is to be written again.
 */
export function newSealedFile(
  seal: SealConfig,
  file: BundleFile,
  isWrittenAgain: boolean,
  opts: pulumi.CustomResourceOptions,
): command.local.Command {
  const isPublic = file.readers === "everybody";
  const directory = bundleDirectory(seal);
  const place = join(directory, sealedPath(seal, file));
  return new command.local.Command(
    file.path,
    {
      interpreter: ["/bin/sh", "components/seal.sh"],
      create: "create",
      update: "update",
      delete: "remove",
      stdin: isPublic ? file.content : pulumi.secret(file.content),
      environment: {
        DIRECTORY: directory,
        FILE: place,
        FORMAT: isPublic ? "public" : formatOf(seal, file),
        RECIPIENTS: recipientsOf(seal, file).join("\n"),
        // Anything that was not there before is a reason to write the file again.
        ...(isWrittenAgain && { REPAIR: new Date().toISOString() }),
      },
      logging: "stderr",
      // Another place is another file, and the one at the old place goes.
      triggers: [place],
      addPreviousOutputInEnv: false,
    },
    // The old one first: whatever the paths say, it is never the new file that is removed.
    {
      ...opts,
      deleteBeforeReplace: true,
      // What the state has of the last repair stays there, and is no reason for anything.
      ignoreChanges: isWrittenAgain ? [] : ["environment.REPAIR"],
    },
  );
}
