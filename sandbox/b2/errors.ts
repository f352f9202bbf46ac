/**
 * An error answer of the B2 native API: an HTTP status and the JSON body `{status, code, message}`
 * (Backblaze, "B2 Native API: Errors").
 */
export class B2Error extends Error {
  readonly status: number;
  readonly code: string;
  /** Sent as the `Retry-After` header, in seconds, when set. */
  readonly retryAfterSeconds: number | undefined;

  constructor(status: number, code: string, message: string, retryAfterSeconds?: number) {
    super(message);
    this.name = "B2Error";
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** 400 `bad_request`: the request itself is wrong; the message says how. */
export function badRequest(message: string): B2Error {
  return new B2Error(400, "bad_request", message);
}

/** 401 `unauthorized`: the token is good, but its key does not allow this call. */
export function unauthorized(message = ""): B2Error {
  return new B2Error(401, "unauthorized", message);
}

/** 403 `access_denied`: locked files, or a wrong SSE-C key. */
export function accessDenied(message = "Access denied"): B2Error {
  return new B2Error(403, "access_denied", message);
}

/** 400 `bucket_missing_file_lock`: lock settings for a bucket that has no lock. */
export function missingFileLock(): B2Error {
  return new B2Error(400, "bucket_missing_file_lock", "The bucket is not file lock enabled");
}

/** 404 `not_found`. */
export function notFound(message: string): B2Error {
  return new B2Error(404, "not_found", message);
}

/** 400 `bad_bucket_id`. */
export function badBucketId(bucketId: string): B2Error {
  return new B2Error(400, "bad_bucket_id", `Bucket ${bucketId} does not exist`);
}
