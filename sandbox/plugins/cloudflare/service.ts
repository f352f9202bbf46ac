/** The handlers of Pulumi's gRPC service `ResourceProvider`; what is not here is unimplemented. */
import {
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import pluginProto from "@pulumi/pulumi/proto/plugin_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import { changes } from "../command/diff.ts";
import {
  fromStruct,
  hasUnknown,
  plainProperties,
  toStruct,
  UNKNOWN,
  type RawProperties,
} from "../command/wire.ts";
import { KINDS, type Kind } from "./inputs.ts";
import { isThere, put, remove } from "./resources.ts";

/** The version of `@pulumi/cloudflare` whose resources are served. */
const VERSION = "6.22.1";

/** Makes the service. */
export function makeService(): UntypedServiceImplementation {
  return {
    handshake: unary(() => new providerProto.ProviderHandshakeResponse().setAcceptSecrets(true)),
    getPluginInfo: unary(() => new pluginProto.PluginInfo().setVersion(VERSION)),
    attach: unary(() => new emptyProto.Empty()),
    getSchema: unary(() =>
      new providerProto.GetSchemaResponse().setSchema(
        JSON.stringify({ name: "cloudflare", version: VERSION }),
      ),
    ),
    checkConfig: unary((request: InstanceType<typeof providerProto.CheckRequest>) =>
      new providerProto.CheckResponse().setInputs(request.getNews()),
    ),
    diffConfig: unary(() =>
      new providerProto.DiffResponse().setChanges(providerProto.DiffResponse.DiffChanges.DIFF_NONE),
    ),
    configure: unary(() =>
      new providerProto.ConfigureResponse()
        .setAcceptsecrets(true)
        .setAcceptresources(true)
        .setSupportspreview(true),
    ),
    invoke: unary((request: InstanceType<typeof providerProto.InvokeRequest>) => {
      throw new Error(notImplemented(`the function ${request.getTok()}`));
    }),
    check: unary((request: InstanceType<typeof providerProto.CheckRequest>) => {
      const inputs = fromStruct(request.getNews());
      const failures = problemsOf(kindOf(request.getUrn()), inputs).map(([property, reason]) =>
        new providerProto.CheckFailure().setProperty(property).setReason(reason),
      );
      return new providerProto.CheckResponse()
        .setInputs(toStruct(inputs))
        .setFailuresList(failures);
    }),
    diff: unary((request: InstanceType<typeof providerProto.DiffRequest>) =>
      diff(kindOf(request.getUrn()), request),
    ),
    create: unary(async (request: InstanceType<typeof providerProto.CreateRequest>) => {
      const kind = kindOf(request.getUrn());
      const inputs = fromStruct(request.getProperties());
      const response = new providerProto.CreateResponse();
      if (request.getPreview()) {
        const value = kind.endsWith("AccountToken") ? { value: UNKNOWN } : {};
        return response.setProperties(toStruct({ ...inputs, ...value }));
      }
      const { id, outputs } = await put(kind, plainProperties(inputs), undefined);
      return response.setId(id).setProperties(toStruct({ ...inputs, ...outputs }));
    }),
    read: unary(async (request: InstanceType<typeof providerProto.ReadRequest>) => {
      const kind = kindOf(request.getUrn());
      const state = plainProperties(fromStruct(request.getProperties()));
      const response = new providerProto.ReadResponse();
      if (!(await isThere(kind, request.getId(), state))) return response;
      return response
        .setId(request.getId())
        .setProperties(request.getProperties())
        .setInputs(request.getInputs());
    }),
    update: unary(async (request: InstanceType<typeof providerProto.UpdateRequest>) => {
      const olds = fromStruct(request.getOlds());
      const inputs = fromStruct(request.getNews());
      const response = new providerProto.UpdateResponse();
      if (request.getPreview()) return response.setProperties(toStruct({ ...olds, ...inputs }));
      const made = await put(kindOf(request.getUrn()), plainProperties(inputs), request.getId());
      return response.setProperties(toStruct({ ...olds, ...inputs, ...made.outputs }));
    }),
    delete: unary(async (request: InstanceType<typeof providerProto.DeleteRequest>) => {
      const state = plainProperties(fromStruct(request.getProperties()));
      await remove(kindOf(request.getUrn()), request.getId(), state);
      return new emptyProto.Empty();
    }),
    cancel: unary(() => new emptyProto.Empty()),
  };
}

function problemsOf(kind: Kind, inputs: RawProperties): (readonly [string, string])[] {
  const plain = plainProperties(inputs);
  const result = KINDS[kind].schema.safeParse(plain);
  if (result.success) return [];
  return result.error.issues.flatMap((issue) => {
    const [top = ""] = issue.path.map(String);
    if (hasUnknown(plain[top])) return [];
    if (issue.code !== "unrecognized_keys") return [[issue.path.join("."), issue.message] as const];
    return issue.keys.map(
      (key) => [[...issue.path, key].join("."), "is not an input of this resource"] as const,
    );
  });
}

function diff(
  kind: Kind,
  request: InstanceType<typeof providerProto.DiffRequest>,
): InstanceType<typeof providerProto.DiffResponse> {
  const { schema, replaces } = KINDS[kind];
  const isInput = (name: string) => Object.hasOwn(schema.shape, name);
  const olds = Object.fromEntries(
    Object.entries(fromStruct(request.getOldInputs())).filter(([name]) => isInput(name)),
  );
  const news = fromStruct(request.getNews());
  for (const name of request.getIgnorechangesList()) {
    const { [name]: old } = olds;
    if (old !== undefined) news[name] = old;
  }
  const { DiffChanges } = providerProto.DiffResponse;
  const tops = [...new Set(changes(olds, news).map(({ path }) => path.split(/[.[]/)[0] ?? path))];
  return new providerProto.DiffResponse()
    .setChanges(tops.length > 0 ? DiffChanges.DIFF_SOME : DiffChanges.DIFF_NONE)
    .setDiffsList(tops)
    .setReplacesList(tops.filter((top) => replaces.some((each) => each === top)));
}

function unary<Request, Response>(handle: (request: Request) => Response | Promise<Response>) {
  return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    // In a promise, so that what is thrown at once is answered like what is thrown later.
    Promise.resolve(call.request)
      .then(handle)
      .then(
        (response) => callback(null, response),
        (error: unknown) => {
          const details = error instanceof Error ? error.message : String(error);
          callback({ code: status.UNKNOWN, details });
        },
      );
  };
}

// urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME
function kindOf(urn: string): Kind {
  const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
  if (type in KINDS) return type as Kind;
  throw new Error(notImplemented(`the resource ${type}`));
}

function notImplemented(what: string): string {
  return `The sandbox's stand-in for the cloudflare plugin does not implement ${what}. Install the official plugin: pulumi plugin install resource cloudflare v${VERSION}`;
}
