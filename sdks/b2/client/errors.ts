/** An error that the B2 service answered with: `{status, code, message}`. */
export class B2Error extends Error {
  override readonly name = "B2Error";
  readonly operation: string;
  readonly status: number;
  readonly code: string;
  /** The service's own words, which never contain what was sent as a secret. */
  readonly detail: string;

  constructor(operation: string, status: number, code: string, detail: string) {
    super(`${operation} failed: ${detail || "no details given"} (${status} ${code})`);
    this.operation = operation;
    this.status = status;
    this.code = code;
    this.detail = detail;
  }
}

/** No answer came: the connection could not be made, broke, or took too long. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  /** False when the request certainly never reached the service. */
  readonly sent: boolean;

  constructor(message: string, sent: boolean) {
    super(message);
    this.sent = sent;
  }
}

/**
 * Whether a request that changes something was carried out is not known, and could not be found out
 * within the time for retries.
 */
export class OutcomeUnknownError extends Error {
  override readonly name = "OutcomeUnknownError";

  constructor(operation: string, cause: Error) {
    super(`${operation}: it is not known whether it was carried out: ${cause.message}`, { cause });
  }
}

/** A problem that the user can solve, told in one line; no stack trace helps. */
export class UserError extends Error {
  override readonly name = "UserError";
}

/** Work was given up because the user asked for it. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";

  constructor() {
    super("cancelled");
  }
}

/** Tells whether an error is the service's, with one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): error is B2Error {
  return error instanceof B2Error && codes.includes(error.code);
}
