/**
 * The one pinned list of the outside programs: which version is meant, which versions on PATH serve
 * as well, and where each is had. Nothing here acts; `index.ts` follows the list.
 */
import { CORE } from "./programs/core.ts";
import { SYSTEM } from "./programs/system.ts";
import { TARGETS } from "./programs/targets.ts";
import type { ProgramName, ProgramSpec } from "./spec.ts";

/** The programs, in the order in which they are shown. */
export const PROGRAMS: Readonly<Record<ProgramName, ProgramSpec>> = {
  ...CORE,
  ...TARGETS,
  ...SYSTEM,
};

/** All names, in the list's order. */
export const PROGRAM_NAMES = Object.keys(PROGRAMS) as ProgramName[];
