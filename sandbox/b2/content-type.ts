import { extname } from "node:path";

// The everyday part of Backblaze's page "Content Types".
const types: Record<string, string> = {
  ".css": "text/css",
  ".csv": "text/csv",
  ".gif": "image/gif",
  ".gz": "application/gzip",
  ".htm": "text/html",
  ".html": "text/html",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".js": "application/javascript",
  ".json": "application/json",
  ".mp3": "audio/mpeg",
  ".mp4": "video/mp4",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".tar": "application/x-tar",
  ".txt": "text/plain",
  ".xml": "application/xml",
  ".zip": "application/zip",
};

/** @returns the content type to store: `b2/x-auto` is decided by the name's ending */
export function contentTypeOf(given: string, fileName: string): string {
  if (given !== "b2/x-auto") return given;
  return types[extname(fileName).toLowerCase()] ?? "application/octet-stream";
}
