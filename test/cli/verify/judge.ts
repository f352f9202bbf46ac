/** Collects what a judgement says. */
import type { Check } from "../../../cli/verify/checks.ts";

export function newCheck(): Check & { readonly errors: string[]; readonly notices: string[] } {
  const errors: string[] = [];
  const notices: string[] = [];
  return {
    ...{ errors, notices },
    error: (line) => errors.push(line),
    notice: (line) => notices.push(line),
  };
}
