/** The part of Cloudflare's API that a stack with an R2 bucket needs. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import { ApiError, type Account, type Bucket, type LockRule, type Token } from "./account.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Call {
  readonly method: string;
  /** What follows the account in the path. */
  readonly path: readonly string[];
  readonly body: Fields;
  readonly jurisdiction: string;
}

/** Serves it to who has the token; it listens nowhere yet. */
export function cloudflareApi(account: Account, token: string): Server {
  return createServer((incoming, outgoing) => {
    answer(account, token, incoming)
      .then((result) => ({
        status: 200,
        reply: { success: true, errors: [], messages: [], result },
      }))
      .catch((error: unknown) => ({
        status: error instanceof ApiError ? error.status : 500,
        reply: {
          success: false,
          errors: [{ code: 10_000, message: error instanceof Error ? error.message : "" }],
          messages: [],
          result: null,
        },
      }))
      .then(({ status, reply }) => {
        outgoing.writeHead(status, { "content-type": "application/json" });
        outgoing.end(JSON.stringify(reply));
      })
      .catch(() => outgoing.destroy());
  });
}

async function answer(
  account: Account,
  token: string,
  incoming: IncomingMessage,
): Promise<unknown> {
  if (incoming.headers.authorization !== `Bearer ${token}`) {
    throw new ApiError(403, "Authentication error");
  }
  const url = new URL(incoming.url ?? "/", "http://localhost");
  const [, , , , id, ...path] = url.pathname.split("/").map(decodeURIComponent);
  if (id !== account.id) throw new ApiError(404, "Account not found");
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  const call: Call = {
    method: incoming.method ?? "GET",
    path,
    body: text === "" ? {} : (JSON.parse(text) as Fields),
    jurisdiction: String(incoming.headers["cf-r2-jurisdiction"] ?? "default"),
  };
  if (path[0] === "tokens") return await tokens(account, call);
  if (path[0] === "r2" && path[1] === "buckets") return await buckets(account, call);
  throw new ApiError(404, "Not found");
}

async function tokens(account: Account, { method, path, body }: Call): Promise<unknown> {
  const [, id] = path;
  const asked = body as unknown as Pick<Token, "name" | "policies">;
  if (id === undefined) {
    if (method !== "POST") return [...account.tokens.values()].map(shown);
    const { token, value } = await account.createToken(asked);
    return { ...shown(token), value };
  }
  if (method === "PUT") return shown(await account.changeToken(id, asked));
  if (method === "DELETE") await account.deleteToken(id);
  return method === "DELETE" ? { id } : shown(account.token(id));
}

function shown({ issuedOn, ...token }: Token): Fields {
  return { ...token, issued_on: issuedOn, modified_on: issuedOn };
}

async function buckets(account: Account, call: Call): Promise<unknown> {
  const { method, body, jurisdiction } = call;
  const [, , name, ...setting] = call.path;
  if (name === undefined) {
    const text = (value: unknown, otherwise: string) =>
      typeof value === "string" ? value : otherwise;
    const asked = {
      name: text(body.name, ""),
      jurisdiction,
      location: text(body.locationHint, "weur").toUpperCase(),
      storageClass: text(body.storageClass, "Standard"),
    };
    return describe(await account.createBucket(asked));
  }
  const bucket = account.bucket(name);
  if (bucket.jurisdiction !== jurisdiction)
    throw new ApiError(404, "The specified bucket does not exist.");
  switch (setting.join("/")) {
    case "":
      if (method === "DELETE") throw new ApiError(409, "The bucket is not empty");
      return describe(bucket);
    case "lock":
      if (method === "PUT") bucket.lock = body.rules as readonly LockRule[];
      return { rules: bucket.lock };
    case "lifecycle":
      if (method === "PUT") bucket.lifecycle = body.rules as readonly unknown[];
      return { rules: bucket.lifecycle };
    case "domains/managed":
      return { bucketId: name, domain: `pub-${name}.r2.dev`, enabled: bucket.isPublic };
    case "domains/custom":
      return { domains: [] };
    default:
      throw new ApiError(404, "Not found");
  }
}

function describe({ name, jurisdiction, location, storageClass, creationDate }: Bucket): Fields {
  return { name, jurisdiction, location, storage_class: storageClass, creation_date: creationDate };
}
