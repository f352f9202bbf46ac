/**
 * What each kind of B2 key may do, by what it is for. None can delete: what a thief hides or
 * overwrites stays recoverable until the bucket's lifecycle rule removes it.
 */
export const B2_CAPABILITIES = {
  sync: ["listBuckets", "listFiles", "readFiles", "writeFiles"],
  restore: ["listBuckets", "listFiles", "readFiles"],
  monitor: ["listBuckets", "listFiles"],
} as const;
