/** Whether the operator's key at Backblaze may do what `pulumi up` needs. */
import { B2_CAPABILITIES } from "../../credentials/b2-capabilities.ts";
import { interruption } from "../interruption.ts";
import { Client, type Credentials } from "../../sdks/b2/client/client.ts";
import { proxyTransport } from "../../sdks/b2/client/proxy.ts";
import { httpTransport, isProxied, type Transport } from "../../sdks/b2/client/transport.ts";
import { UserError } from "../../sdks/b2/client/errors.ts";

/** What the provider calls (sdks/b2/README.md), and what it gives to the keys that it makes. */
export const NEEDED_CAPABILITIES: readonly string[] = [
  ...new Set<string>([
    ...["listBuckets", "writeBuckets", "deleteBuckets"],
    ...["readBucketEncryption", "writeBucketEncryption"],
    ...["readBucketRetentions", "writeBucketRetentions"],
    ...["listKeys", "writeKeys", "deleteKeys"],
    ...Object.values(B2_CAPABILITIES).flat(),
  ]),
];

/** What a look at the account came to. */
export interface B2Look {
  /** The service took the key; where it did not answer, nothing is known. */
  readonly answered: boolean;
  /** What is wrong, each with the way out. */
  readonly problems: readonly string[];
  /** Such as `eu-central-003`. */
  readonly region?: string;
  /** The clock of the service minus ours, in seconds. */
  readonly clockAhead?: number;
}

/** Which key, where. */
export function b2Credentials(
  key: { readonly id: string | undefined; readonly key: string | undefined },
  endpoint: string | undefined,
): Credentials {
  return {
    applicationKeyId: key.id ?? "",
    applicationKey: key.key ?? "",
    endpoint: endpoint ?? "",
  };
}

/** Logs in, and changes nothing there. */
export async function lookAtB2(credentials: Credentials): Promise<B2Look> {
  const seen = { clockAhead: undefined as number | undefined };
  const transport = watched(isProxied(process.env) ? proxyTransport() : httpTransport(), seen);
  const client = new Client(credentials, { transport, attempts: 2 });
  const cancel = () => client.cancel();
  interruption.addEventListener("abort", cancel, { once: true });
  try {
    const { apiInfo } = await client.authorize();
    const { allowed, s3ApiUrl } = apiInfo.storageApi;
    const region = /^https:\/\/s3\.([a-z0-9-]+)\./.exec(s3ApiUrl)?.[1];
    return {
      answered: true,
      problems: keyProblems(allowed),
      ...(region !== undefined && { region }),
      ...(seen.clockAhead !== undefined && { clockAhead: seen.clockAhead }),
    };
  } catch (error) {
    interruption.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    return { answered: error instanceof UserError, problems: [message] };
  } finally {
    interruption.removeEventListener("abort", cancel);
    await client.close();
  }
}

function keyProblems(allowed: {
  readonly capabilities: readonly string[];
  readonly buckets: readonly unknown[] | null;
  readonly namePrefix: string | null;
}): string[] {
  const missing = NEEDED_CAPABILITIES.filter((each) => !allowed.capabilities.includes(each));
  return [
    ...(missing.length === 0
      ? []
      : [
          `the key lacks ${missing.join(", ")}. Make one with them in Backblaze's account, as sdks/b2/README.md says, or take the master key`,
        ]),
    ...((allowed.buckets?.length ?? 0) === 0 && !allowed.namePrefix
      ? []
      : [
          "the key is restricted to buckets or names. Make one that is not: it has to make a bucket",
        ]),
  ];
}

/** Notes on the way by how much the service's clock differs, from the header that every answer has. */
function watched(transport: Transport, seen: { clockAhead: number | undefined }): Transport {
  return {
    send: async (request, signal) => {
      const answer = await transport.send(request, signal);
      const date = Date.parse(String(answer.headers.date ?? ""));
      if (Number.isFinite(date)) seen.clockAhead = (date - Date.now()) / 1000;
      return answer;
    },
    close: () => transport.close(),
  };
}
