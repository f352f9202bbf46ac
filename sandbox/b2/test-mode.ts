import type { Call } from "./call.ts";
import { B2Error } from "./errors.ts";

const uploads = new Set(["b2_upload_file", "b2_upload_part"]);
const capped = new Set([
  "b2_copy_file",
  "b2_copy_part",
  "b2_get_upload_part_url",
  "b2_get_upload_url",
  "b2_upload_file",
  "b2_upload_part",
]);

/** Which uploads of the account have been failed on request. */
const uploadCounts = new WeakMap<Call["world"], number>();

/**
 * Honours `X-Bz-Test-Mode` (Backblaze, "Integration Checklist"): `fail_some_uploads` fails every
 * third upload with 503, `force_cap_exceeded` every call that stores with 403. The third mode,
 * `expire_some_account_authorization_tokens`, is the business of `b2_authorize_account`.
 */
export function checkTestMode(call: Call): void {
  const mode = call.headers["x-bz-test-mode"];
  if (mode === "fail_some_uploads" && uploads.has(call.operation)) {
    const count = (uploadCounts.get(call.world) ?? 0) + 1;
    uploadCounts.set(call.world, count);
    if (count % 3 === 1) throw new B2Error(503, "service_unavailable", "Test mode");
  }
  if (mode === "force_cap_exceeded" && capped.has(call.operation)) {
    throw new B2Error(403, "cap_exceeded", "Usage cap exceeded (test mode)");
  }
}
