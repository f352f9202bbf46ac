/** What goes wrong while programs are had, in words for the user. */
import { installCommand } from "./packages.ts";
import type { Catalogue, ProgramName } from "./spec.ts";

/** One program that could not be had, with what every place said. */
export interface MissingProgram {
  name: ProgramName;
  reasons: readonly string[];
}

/** Programs are missing. The message names all of them and the command that installs them. */
export class MissingProgramsError extends Error {
  override name = "MissingProgramsError";
  readonly missing: readonly MissingProgram[];

  constructor(missing: readonly MissingProgram[], catalogue: Catalogue) {
    super(describe(missing, catalogue));
    this.missing = missing;
  }
}

/** The disk is full. Not a reason to try the next place, which would need as much. */
export class DiskFullError extends Error {
  override name = "DiskFullError";

  constructor(name: string, cache: string) {
    super(
      `No space is left on the disk of ${cache}, where ${name} was being put. Building all programs ` +
        "needs about 10 GB with Go's own caches. Free some, or set FORT_OFFSITE_CACHE to a folder on another disk.",
    );
  }
}

/** True for an error that says, in any of the ways there are, that the disk is full. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT" || /no space left on device/i.test(error.message);
}

function describe(missing: readonly MissingProgram[], catalogue: Catalogue): string {
  const lines = missing.map(({ name, reasons }) => {
    const spec = catalogue[name];
    const version = spec === undefined || spec.version === "any" ? "" : ` ${spec.version}`;
    return `  ${name}${version}: ${reasons.join("; ")}`;
  });
  const packages = missing.flatMap(({ name }) => {
    const spec = catalogue[name];
    // Debian's own version of what can be built is often too old, so there it is Go that is missing.
    if (spec?.go !== undefined) return ["golang"];
    return spec?.packages === undefined ? [] : [spec.packages.names.at(-1) ?? name];
  });
  const needsGo = missing
    .map(({ name }) => catalogue[name]?.go)
    .some((build) => build !== undefined);
  const commands: string[] = [];
  const system = packages.filter((name) => name !== "golang");
  if (system.length > 0) commands.push(`Install with: ${installCommand(system)}`);
  if (needsGo) {
    commands.push(
      "What is built from source needs Go: https://go.dev/dl/. Or put the programs on PATH yourself.",
    );
  }
  return ["Programs are missing:", ...lines, ...commands].join("\n");
}
