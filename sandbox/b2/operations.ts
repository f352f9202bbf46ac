import { authorizeAccount, keyOf } from "./auth.ts";
import {
  createBucket,
  deleteBucket,
  getNotificationRules,
  listBuckets,
  setNotificationRules,
  updateBucket,
} from "./buckets.ts";
import type { Call, Reply } from "./call.ts";
import { copyFile, copyPart } from "./copy.ts";
import { downloadById, downloadByName, getDownloadAuthorization } from "./download.ts";
import { deleteFileVersion, getFileInfo, hideFile } from "./files.ts";
import { createKey, deleteKey, listKeys } from "./keys.ts";
import {
  cancelLargeFile,
  finishLargeFile,
  getUploadPartUrl,
  listParts,
  listUnfinishedLargeFiles,
  startLargeFile,
  uploadPart,
} from "./large-files.ts";
import { listFileNames, listFileVersions } from "./listing.ts";
import { updateFileLegalHold, updateFileRetention } from "./lock.ts";
import type { KeyRecord } from "./model.ts";
import { getUploadUrl, uploadFile } from "./upload.ts";

/** How an operation is called. */
export interface Operation {
  run(call: Call): Reply | Promise<Reply>;
  /** The names of its parameters; null when it takes its input from headers and body. */
  fields: ReadonlySet<string> | null;
}

const bucketSettings =
  "bucketInfo corsRules lifecycleRules defaultServerSideEncryption fileLockEnabled replicationConfiguration";

/** The native API's operations that are served, by name. */
export const operations: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ["b2_authorize_account", { run: authorizeAccount, fields: new Set() }],
  ["b2_upload_file", { run: uploadFile, fields: null }],
  ["b2_upload_part", { run: uploadPart, fields: null }],
  [
    "b2_download_file_by_id",
    {
      run: downloadById,
      fields: new Set(
        words(
          "fileId Authorization b2CacheControl b2ContentDisposition b2ContentEncoding b2ContentLanguage b2ContentType b2Expires",
        ),
      ),
    },
  ],
  ["b2_download_file_by_name", { run: downloadByName, fields: null }],
  withKey("b2_create_bucket", createBucket, `accountId bucketName bucketType ${bucketSettings}`),
  withKey(
    "b2_update_bucket",
    updateBucket,
    `accountId bucketId bucketType ifRevisionIs defaultRetention ${bucketSettings}`,
  ),
  withKey("b2_delete_bucket", deleteBucket, "accountId bucketId"),
  withKey("b2_list_buckets", listBuckets, "accountId bucketId bucketName bucketTypes"),
  withKey("b2_get_bucket_notification_rules", getNotificationRules, "bucketId"),
  withKey(
    "b2_set_bucket_notification_rules",
    setNotificationRules,
    "bucketId eventNotificationRules",
  ),
  withKey(
    "b2_create_key",
    createKey,
    "accountId bucketId bucketIds capabilities keyName namePrefix validDurationInSeconds",
  ),
  withKey("b2_list_keys", listKeys, "accountId maxKeyCount startApplicationKeyId"),
  withKey("b2_delete_key", deleteKey, "applicationKeyId"),
  withKey("b2_get_upload_url", getUploadUrl, "bucketId"),
  withKey(
    "b2_start_large_file",
    startLargeFile,
    "bucketId contentType fileInfo fileName fileRetention legalHold serverSideEncryption customUploadTimestamp custom_upload_timestamp",
  ),
  withKey("b2_get_upload_part_url", getUploadPartUrl, "fileId"),
  withKey("b2_finish_large_file", finishLargeFile, "fileId partSha1Array"),
  withKey("b2_cancel_large_file", cancelLargeFile, "fileId"),
  withKey("b2_list_parts", listParts, "fileId maxPartCount startPartNumber"),
  withKey(
    "b2_list_unfinished_large_files",
    listUnfinishedLargeFiles,
    "bucketId maxFileCount namePrefix startFileId",
  ),
  withKey(
    "b2_copy_file",
    copyFile,
    "contentType destinationBucketId destinationServerSideEncryption fileInfo fileName fileRetention legalHold metadataDirective range sourceFileId sourceServerSideEncryption",
  ),
  withKey(
    "b2_copy_part",
    copyPart,
    "destinationServerSideEncryption largeFileId partNumber range sourceFileId sourceServerSideEncryption",
  ),
  withKey(
    "b2_list_file_names",
    listFileNames,
    "bucketId delimiter maxFileCount prefix startFileId startFileName",
  ),
  withKey(
    "b2_list_file_versions",
    listFileVersions,
    "bucketId delimiter maxFileCount prefix startFileId startFileName",
  ),
  withKey("b2_hide_file", hideFile, "bucketId fileName"),
  withKey("b2_delete_file_version", deleteFileVersion, "bypassGovernance fileId fileName"),
  withKey("b2_get_file_info", getFileInfo, "fileId"),
  withKey(
    "b2_update_file_retention",
    updateFileRetention,
    "bypassGovernance fileId fileName fileRetention",
  ),
  withKey("b2_update_file_legal_hold", updateFileLegalHold, "fileId fileName legalHold"),
  withKey(
    "b2_get_download_authorization",
    getDownloadAuthorization,
    "b2CacheControl b2ContentDisposition b2ContentEncoding b2ContentLanguage b2ContentType b2Expires bucketId fileNamePrefix validDurationInSeconds",
  ),
]);

function withKey(
  name: string,
  run: (call: Call, key: KeyRecord) => Reply | Promise<Reply>,
  fields: string,
): [string, Operation] {
  return [name, { run: (call) => run(call, keyOf(call)), fields: new Set(words(fields)) }];
}

function words(text: string): string[] {
  return text.split(" ");
}
