/** What the resources are at the stand-in for Cloudflare. */
import { z } from "zod";
import { KINDS, type Inputs, type Kind } from "./inputs.ts";
import { secret, type RawProperties } from "../command/wire.ts";

/** A resource as it was made or changed. */
export interface Made {
  readonly id: string;
  /** What it has beside its inputs. */
  readonly outputs: RawProperties;
}

interface Envelope {
  readonly success: boolean;
  readonly errors: readonly { readonly message: string }[];
  readonly result: Record<string, unknown>;
}

async function api(
  method: string,
  accountId: string,
  path: string,
  body?: unknown,
  jurisdiction = "default",
): Promise<Record<string, unknown>> {
  const { CLOUDFLARE_BASE_URL: base, CLOUDFLARE_API_TOKEN: token } = process.env;
  if (base?.startsWith("http://127.0.0.1:") !== true) {
    throw new Error(
      "This is the sandbox's stand-in for the cloudflare plugin: it speaks to the sandbox's stand-in for Cloudflare alone. Install the official plugin: pulumi plugin install resource cloudflare v6.22.1",
    );
  }
  const answer = await fetch(`${base}/accounts/${accountId}/${path}`, {
    method,
    headers: { authorization: `Bearer ${token ?? ""}`, "cf-r2-jurisdiction": jurisdiction },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const { success, errors, result } = (await answer.json()) as Envelope;
  if (success) return result;
  const status = answer.status === 404 ? "404 " : "";
  throw new Error(`${status}${errors.map(({ message }) => message).join("; ")}`);
}

function tokenBody({ name, policies }: Inputs<"cloudflare:index/accountToken:AccountToken">) {
  return {
    name,
    policies: policies.map(({ effect, permissionGroups, resources }) => ({
      effect,
      permission_groups: permissionGroups,
      resources: JSON.parse(resources) as unknown,
    })),
  };
}

/** Makes a resource, or changes the one with the id. */
export async function put(kind: Kind, raw: unknown, id: string | undefined): Promise<Made> {
  switch (kind) {
    case "cloudflare:index/r2Bucket:R2Bucket": {
      const inputs = KINDS[kind].schema.parse(raw);
      const { accountId, name, jurisdiction, location, storageClass } = inputs;
      const body = {
        name,
        storageClass,
        ...(location !== undefined && { locationHint: location }),
      };
      if (id === undefined) await api("POST", accountId, "r2/buckets", body, jurisdiction);
      return { id: name, outputs: { creationDate: new Date().toISOString() } };
    }
    case "cloudflare:index/r2BucketLifecycle:R2BucketLifecycle":
    case "cloudflare:index/r2BucketLock:R2BucketLock": {
      const inputs = KINDS[kind].schema.parse(raw);
      const { accountId, bucketName, jurisdiction, rules = [] } = inputs;
      const setting = kind.endsWith("Lock") ? "lock" : "lifecycle";
      const path = `r2/buckets/${bucketName}/${setting}`;
      await api("PUT", accountId, path, { rules }, jurisdiction);
      return { id: bucketName, outputs: {} };
    }
    case "cloudflare:index/accountToken:AccountToken": {
      const inputs = KINDS[kind].schema.parse(raw);
      const [method, path] =
        id === undefined ? (["POST", "tokens"] as const) : (["PUT", `tokens/${id}`] as const);
      const made = await api(method, inputs.accountId, path, tokenBody(inputs));
      const text = (name: string) => String(made[name]);
      const times = { issuedOn: text("issued_on"), modifiedOn: text("modified_on") };
      return {
        id: text("id"),
        outputs: {
          ...{ status: text("status"), ...times },
          ...(id === undefined && { value: secret(text("value")) }),
        },
      };
    }
  }
}

const placeSchema = z.object({
  accountId: z.string(),
  jurisdiction: z.string().default("default"),
});

/** Whether a resource is still there. */
export async function isThere(kind: Kind, id: string, state: RawProperties): Promise<boolean> {
  const { accountId, jurisdiction } = placeSchema.parse(state);
  const paths: Readonly<Record<Kind, string>> = {
    "cloudflare:index/r2Bucket:R2Bucket": `r2/buckets/${id}`,
    "cloudflare:index/r2BucketLifecycle:R2BucketLifecycle": `r2/buckets/${id}/lifecycle`,
    "cloudflare:index/r2BucketLock:R2BucketLock": `r2/buckets/${id}/lock`,
    "cloudflare:index/accountToken:AccountToken": `tokens/${id}`,
  };
  try {
    await api("GET", accountId, paths[kind], undefined, jurisdiction);
    return true;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("404 ")) return false;
    throw error;
  }
}

/** Takes a resource away. */
export async function remove(kind: Kind, id: string, state: RawProperties): Promise<void> {
  const { accountId, jurisdiction } = placeSchema.parse(state);
  if (kind === "cloudflare:index/accountToken:AccountToken") {
    await api("DELETE", accountId, `tokens/${id}`);
  } else if (kind === "cloudflare:index/r2Bucket:R2Bucket") {
    await api("DELETE", accountId, `r2/buckets/${id}`, undefined, jurisdiction);
  } else {
    const setting = kind.endsWith("Lock") ? "lock" : "lifecycle";
    const path = `r2/buckets/${id}/${setting}`;
    await api("PUT", accountId, path, { rules: [] }, jurisdiction);
  }
}
