import type { CheckReport } from "../report.ts";

/** What a check found: {@link CheckReport} without what the caller knows. */
export type Verdict = Pick<CheckReport, "outcome" | "detail">;
