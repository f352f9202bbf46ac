/** In what the services behind rclone differ, as far as the agent must know. */
import type { RcloneManifest } from "../../config/manifest.ts";

/** One service, as {@link RcloneTarget} uses it. */
export interface RcloneService {
  /** The hash of a file that the service's listing has without a call a file. */
  readonly hash: "SHA1" | undefined;
  /** Whether sending a file over one of another size keeps the old one recoverable. */
  readonly replaces: boolean;
  /**
   * The options with which rclone's deletion hides. Undefined where a deletion is one: there the
   * agent has no method for it.
   */
  readonly hide: readonly string[] | undefined;
  /** What rclone says where a credential is refused, and nothing else is wrong. */
  readonly refused: RegExp;
}

/**
 * What a lock refuses (R2: ObjectLockedByBucketPolicy, as 403 or 409; others: ObjectLocked) is no
 * refusal of the key.
 */
const S3_REFUSED =
  /^(?!.*ObjectLocked).*(?:StatusCode: 40[13]\b|\b(?:401|403)\b|InvalidAccessKeyId|SignatureDoesNotMatch|Unauthorized)/is;

/** By the type of the target. */
export const RCLONE_SERVICES: Readonly<Record<RcloneManifest["type"], RcloneService>> = {
  b2: {
    hash: "SHA1",
    // At B2 a new version hides the old one, which the lifecycle keeps for a time. A file whose size
    // is wrong for its name is of use to nobody, the hub's is proven by its hash: it is sent.
    replaces: true,
    // To hide is what rclone's deletion is at B2 unless its configuration says otherwise, which it
    // is not asked; the key could not do more.
    hide: ["--b2-hard-delete=false"],
    refused: /\b401\b|unauthorized|bad_auth_token|expired_auth_token/i,
  },
  r2: {
    hash: undefined,
    replaces: false,
    hide: undefined,
    refused: S3_REFUSED,
  },
  s3: {
    hash: undefined,
    replaces: false,
    hide: undefined,
    refused: S3_REFUSED,
  },
  sftp: {
    hash: undefined,
    replaces: false,
    hide: undefined,
    refused: /unable to authenticate|no supported methods remain|permission denied \(publickey/i,
  },
};
