import { B2Error, badRequest } from "./errors.ts";
import type { ApiVersion } from "./model.ts";
import { decodeName } from "./names.ts";
import { operations } from "./operations.ts";

/** Where a request goes. */
export interface Route {
  operation: string;
  version: ApiVersion;
  target: readonly string[];
}

const methods: Record<string, readonly string[]> = {
  b2_download_file_by_id: ["GET", "HEAD", "POST"],
  b2_download_file_by_name: ["GET", "HEAD"],
  b2_upload_file: ["POST"],
  b2_upload_part: ["POST"],
};

/**
 * Finds the operation of a path: `/b2api/v<version>/<operation>[/<target>]`, or
 * `/file/<bucket>/<name>` for downloads by name.
 *
 * @throws B2Error 404 `not_found`, 405 `method_not_allowed`, 400 `bad_request` on a wrong version
 */
export function route(method: string, pathname: string): Route {
  const found = find(pathname);
  const allowed = methods[found.operation] ?? ["GET", "POST"];
  if (!allowed.includes(method)) {
    throw new B2Error(405, "method_not_allowed", `only ${allowed.join(", ")} are allowed`);
  }
  return found;
}

function find(pathname: string): Route {
  const file = /^\/file\/([^/]+)\/(.*)$/.exec(pathname);
  if (file !== null) {
    const [, bucketName = "", fileName = ""] = file;
    return {
      operation: "b2_download_file_by_name",
      version: 4,
      target: [decodeName(bucketName), decodeName(fileName)],
    };
  }
  const api = /^\/b2api\/v(\d+)\/(b2_\w+)(?:\/([^/]+))?$/.exec(pathname);
  const [, number = "", operation = "", target] = api ?? [];
  if (!operations.has(operation)) {
    throw new B2Error(404, "not_found", `no such path: ${pathname}`);
  }
  const version = Number(number);
  if (version !== 1 && version !== 2 && version !== 3 && version !== 4) {
    throw badRequest(`invalid API version: ${number}`);
  }
  return { operation, version, target: target === undefined ? [] : [decodeName(target)] };
}
