/** What `pulumi preview --json` prints, read leniently: a report is made of whatever is there. */
import { z } from "zod";

const stateSchema = z.object({
  type: z.string().default(""),
  id: z.string().optional(),
  parent: z.string().optional(),
  custom: z.boolean().default(true),
  protect: z.boolean().default(false),
  retainOnDelete: z.boolean().default(false),
  inputs: z.record(z.string(), z.unknown()).default({}),
  outputs: z.record(z.string(), z.unknown()).default({}),
});

const stepSchema = z.object({
  op: z.string(),
  urn: z.string(),
  oldState: stateSchema.nullish(),
  newState: stateSchema.nullish(),
  diffReasons: z.array(z.string()).nullish(),
  replaceReasons: z.array(z.string()).nullish(),
  detailedDiff: z.record(z.string(), z.object({ kind: z.string() })).nullish(),
});

const diagnosticSchema = z.object({
  urn: z.string().optional(),
  message: z.string(),
  severity: z.string().default("info"),
});

const previewSchema = z.object({
  config: z.record(z.string(), z.string()).default({}),
  steps: z.array(stepSchema).nullish(),
  diagnostics: z.array(diagnosticSchema).nullish(),
  changeSummary: z.record(z.string(), z.number()).nullish(),
});

/** A resource as the state has it, or as the program asks for it. */
export type PreviewState = z.infer<typeof stateSchema>;

/** What is to be done with one resource. */
export type Step = z.infer<typeof stepSchema>;

/** What was said while the preview was made, without its label. */
export interface Diagnostic {
  readonly severity: "error" | "warning" | "info";
  /** The resource that it is about. */
  readonly urn?: string | undefined;
  readonly message: string;
}

/** A preview. */
export interface Preview {
  /** The stack's bare name, where a step tells it. */
  readonly stack: string | undefined;
  /** The settings of the change, as Pulumi has them: a string, or JSON. Secrets are masked. */
  readonly config: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
  readonly diagnostics: readonly Diagnostic[];
  /** How many unchanged resources the document leaves out, as it does without --show-sames. */
  readonly hidden: number;
  /** The whole document, as it was parsed, for the policy. */
  readonly raw: unknown;
  /** Why it came to no end; undefined where it did. */
  readonly failure: string | undefined;
}

/** How a preview came to us. */
export interface PreviewSource {
  /** What the command printed on standard output. */
  readonly text: string;
  /** What it printed on standard error, where that is known. */
  readonly said?: string;
  /** Its exit code, where that is known. */
  readonly exitCode?: number;
}

/**
 * Reads a preview. It never throws: one that failed, or left no document, is a preview with a
 * {@link Preview.failure}.
 */
export function readPreview({ text, said = "", exitCode }: PreviewSource): Preview {
  const raw = documentIn(text);
  const parsed = previewSchema.safeParse(raw);
  if (!parsed.success) return unreadable(text, said, exitCode);
  const steps = parsed.data.steps ?? [];
  const diagnostics = (parsed.data.diagnostics ?? []).map(diagnosticOf);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  const shown = steps.filter(({ op }) => op === "same").length;
  return {
    stack: steps.map(({ urn }) => stackOf(urn)).find((name) => name !== undefined),
    config: parsed.data.config,
    steps,
    diagnostics,
    hidden: Math.max(0, (parsed.data.changeSummary?.same ?? 0) - shown),
    raw,
    failure: failureOf(errors.length, said, exitCode),
  };
}

function failureOf(errors: number, said: string, exitCode = 0): string | undefined {
  if (errors > 0) return "the preview ended with an error";
  if (exitCode === 0) return undefined;
  return lastLines(said) || `the command ended with ${exitCode}`;
}

function unreadable(text: string, said: string, exitCode: number | undefined): Preview {
  const words = lastLines([text, said].join("\n"));
  const ended = exitCode === undefined ? "" : `; the command ended with ${exitCode}`;
  return {
    stack: undefined,
    ...{ config: {}, steps: [], hidden: 0, raw: undefined },
    diagnostics: words === "" ? [] : [{ severity: "error", message: words }],
    failure: `the preview left no document that can be read${ended}`,
  };
}

/** The document, whatever was printed before and behind it. */
function documentIn(text: string): unknown {
  for (let at = text.search(/^\s*\{/m); at >= 0;) {
    const end = text.lastIndexOf("}");
    try {
      return JSON.parse(text.slice(at, end + 1)) as unknown;
    } catch {
      const next = text.slice(at + 1).search(/^\s*\{/m);
      // A line of a log may begin with a brace; a document that was cut off is none.
      if (next < 0 || next > 10_000) return undefined;
      at += 1 + next;
    }
  }
  return undefined;
}

const LINES = 20;

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-LINES).join("\n");
}

function diagnosticOf({ urn, message, severity }: z.infer<typeof diagnosticSchema>): Diagnostic {
  const [, label, rest] = /^(?:(error|warning|info): )?([^]*)$/.exec(message.trim()) ?? [];
  const known = ["error", "warning"].find((each) => each === severity || each === label);
  return {
    severity: (known as "error" | "warning" | undefined) ?? "info",
    urn,
    message: (rest ?? message).trim(),
  };
}

function stackOf(urn: string): string | undefined {
  return /^urn:pulumi:([^:]+)::/.exec(urn)?.[1];
}

/** The last part of a URN. It may itself have two colons in it. */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** The type of a resource by its URN, without its parents'. */
export function typeOf({ urn, newState, oldState }: Step): string {
  const given = newState?.type ?? oldState?.type ?? "";
  return given === "" ? (urn.split("::")[2]?.split("$").at(-1) ?? "") : given;
}
