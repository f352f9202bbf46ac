/** Pulumi's mocks: they record every registration, and throw on a type that nobody expects. */
import * as pulumi from "@pulumi/pulumi";

/** A resource as the program registered it. */
export interface Registration {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

const SECRET = "4dabf18193072939515e22adb298388d";

/** Takes the marks of secrets off, and tells what carried one. */
export function reveal(value: unknown): { readonly value: unknown; readonly secret: boolean } {
  if (typeof value === "object" && value !== null && SECRET in value) {
    return { value: (value as unknown as { value: unknown }).value, secret: true };
  }
  return { value, secret: false };
}

/** What further functions answer, and what resources have beside their inputs, by token or type. */
export interface Answers {
  readonly calls?: Readonly<Record<string, (inputs: Record<string, unknown>) => object>>;
  readonly outputs?: Readonly<Record<string, object>>;
  /** Whether it is a preview. */
  readonly preview?: boolean;
}

/** Sets the mocks up and gives the list to which registrations are added. */
export async function recordRegistrations(answers: Answers = {}): Promise<Registration[]> {
  const registrations: Registration[] = [];
  // What the test before began must not reach the new mocks.
  await settle();
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        registrations.push({ type, name, inputs: inputs as Record<string, unknown> });
        const given = answers.outputs?.[type] ?? outputs(type, name);
        return { id: `${name}-id`, state: { ...(inputs as object), ...given } };
      },
      call: ({ token, inputs }) => {
        const answer = answers.calls?.[token];
        if (answer !== undefined) return answer(inputs as Record<string, unknown>);
        if (token === "b2:index/getAccountInfo:getAccountInfo") {
          return { s3ApiUrl: "https://s3.eu-central-003.backblazeb2.com" };
        }
        throw new Error(`Nobody expects a call of ${token}`);
      },
    },
    "fort-offsite",
    "test",
    answers.preview ?? false,
  );
  return registrations;
}

function outputs(type: string, name: string): Record<string, string> {
  switch (type) {
    case "b2:index/bucket:Bucket":
      return { bucketId: `${name}-bucket-id` };
    case "b2:index/applicationKey:ApplicationKey":
      return { applicationKeyId: `${name}-key-id`, applicationKey: `${name}-secret` };
    case "cloudflare:index/accountToken:AccountToken":
      return { value: `${name}-value` };
    case "cloudflare:index/r2Bucket:R2Bucket":
    case "cloudflare:index/r2BucketLifecycle:R2BucketLifecycle":
    case "cloudflare:index/r2BucketLock:R2BucketLock":
      return {};
    case "command:local:Command":
    case "command:remote:Command":
      return { stdout: "", stderr: "" };
    default:
      if (type.startsWith("fort-offsite:index:")) return {};
      throw new Error(`Nobody expects a ${type}`);
  }
}

/** The value of an output, once it is known. */
export function valueOf<T>(output: pulumi.Input<T>): Promise<pulumi.Unwrap<T>> {
  return new Promise((resolve) => {
    pulumi.output(output).apply((value) => resolve(value));
  });
}

/** Waits until everything that was begun is registered. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The one registration with a name. */
export function named(registrations: readonly Registration[], name: string): Registration {
  const found = registrations.filter((each) => each.name === name);
  const [one] = found;
  if (one === undefined || found.length > 1) {
    throw new Error(`${found.length} resources are named "${name}"`);
  }
  return one;
}
