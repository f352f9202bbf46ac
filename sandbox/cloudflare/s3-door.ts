/** R2's S3 API: a real S3 server behind a door that knows the bucket's lock rules. */
import {
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { S3Server } from "../s3.ts";
import type { Account } from "./account.ts";

/** What goes wrong on the way. */
export interface Faults {
  /** So many uploads arrive, and nobody hears of it. */
  lostAnswers: number;
}

/** Serves it; it listens nowhere yet. */
export function s3Door(account: Account, s3: S3Server, faults: Faults): Server {
  return createServer((incoming, outgoing) => {
    handle({ account, s3, faults }, incoming, outgoing).catch(() => outgoing.destroy());
  });
}

interface Door {
  readonly account: Account;
  readonly s3: S3Server;
  readonly faults: Faults;
}

async function handle(
  { account, s3, faults }: Door,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const url = new URL(incoming.url ?? "/", s3.url);
  const [bucket = "", ...rest] = url.pathname.slice(1).split("/").map(decodeURIComponent);
  const key = rest.join("/");
  if (url.searchParams.has("delete")) {
    refuse(outgoing, 501, "NotImplemented");
    return;
  }
  if (changes(incoming, url) && key !== "" && account.buckets.has(bucket)) {
    const head = await s3.client(bucket).call({ method: "HEAD", key });
    const written = new Date(String(head.headers["last-modified"]));
    if (head.status < 400 && account.isLocked(bucket, key, written)) {
      // As it is seen at R2; its documentation says 403.
      refuse(outgoing, 409, "ObjectLockedByBucketPolicy");
      return;
    }
  }
  forward(s3, faults, incoming, outgoing);
}

/** Whether a request deletes an object, or may write over one. */
function changes({ method }: IncomingMessage, url: URL): boolean {
  const isPart = url.searchParams.has("partNumber");
  const completes = method === "POST" && url.searchParams.has("uploadId");
  const aborts = method === "DELETE" && url.searchParams.has("uploadId");
  return completes || (method === "DELETE" && !aborts) || (method === "PUT" && !isPart);
}

function forward(
  s3: S3Server,
  faults: Faults,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): void {
  const { method, url, headers } = incoming;
  // The host is signed: it goes along as it came.
  const onward = request(s3.url + (url ?? "/"), { method, headers }, (answer) => {
    if (method === "PUT" && answer.statusCode === 200 && faults.lostAnswers > 0) {
      faults.lostAnswers -= 1;
      outgoing.destroy();
      return;
    }
    const isUnknown = answer.statusCode === 403 && answer.headers["content-length"] !== undefined;
    if (!isUnknown) {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      return;
    }
    const chunks: Buffer[] = [];
    answer.on("data", (chunk: Buffer) => chunks.push(chunk));
    answer.on("end", () => {
      const body = Buffer.concat(chunks);
      // A token that is gone: R2's own words.
      if (body.includes("InvalidAccessKeyId")) refuse(outgoing, 401, "Unauthorized");
      else {
        outgoing.writeHead(403, answer.headers);
        outgoing.end(body);
      }
    });
  });
  onward.on("error", () => outgoing.destroy());
  incoming.pipe(onward);
}

function refuse(outgoing: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  outgoing.writeHead(status, {
    "content-type": "application/xml",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  });
  outgoing.end(body);
}
