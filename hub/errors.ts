/** A wrong use of the agent or a wrong input: shown without a stack trace. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The message of whatever was thrown, on one line, with the cause where the message lacks it. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return `${error.message}${cause}`.replaceAll(/\s*\n\s*/g, " ");
}
