/**
 * Days after which the parts of an upload that was cut off go from a bucket: longer than any upload
 * goes on. No key of the hub's may remove them.
 */
export const UNFINISHED_DAYS = 7;
