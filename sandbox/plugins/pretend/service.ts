/** Pulumi's gRPC service `ResourceProvider`, for a package of which nothing is really made. */
import { createHash, randomBytes } from "node:crypto";
import {
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import pluginProto from "@pulumi/pulumi/proto/plugin_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import { changes, type Change } from "../command/diff.ts";
import {
  fromStruct,
  hasUnknown,
  plainProperties,
  secret,
  toStruct,
  UNKNOWN,
  type RawProperties,
} from "../command/wire.ts";

type Outputs = (inputs: RawProperties, id: string) => RawProperties;

/** What a package's own program would add to the inputs, as far as ours asks for it. */
const OUTPUTS: Readonly<Record<string, Outputs>> = {
  "command:local:Command": () => ({ stdout: "", stderr: "" }),
  "command:remote:Command": () => ({ stdout: "", stderr: "" }),
  "cloudflare:index/accountToken:AccountToken": (_, id) => ({ value: secret(`pretended-${id}`) }),
  "cloudflare:index/apiToken:ApiToken": (_, id) => ({ value: secret(`pretended-${id}`) }),
};

/** Inputs whose change makes another resource. Without knowledge of a type it is its name alone. */
const REPLACES: Readonly<Record<string, RegExp>> = {
  command: /^triggers(?:$|[.[])/,
  cloudflare: /^(?:accountId|zoneId|bucketName|jurisdiction|location|storageClass|name)$/,
};

const NAMED = new Set(["cloudflare:index/r2Bucket:R2Bucket"]);

/** Makes the service for a package. */
export function pretend(name: string, version: string): UntypedServiceImplementation {
  const replaces = ({ path }: Change, type: string) =>
    (path !== "name" || NAMED.has(type)) && (REPLACES[name]?.test(path) ?? false);
  return {
    handshake: unary(() => new providerProto.ProviderHandshakeResponse().setAcceptSecrets(true)),
    getPluginInfo: unary(() => new pluginProto.PluginInfo().setVersion(version)),
    attach: unary(() => new emptyProto.Empty()),
    getSchema: unary(() =>
      new providerProto.GetSchemaResponse().setSchema(JSON.stringify({ name, version })),
    ),
    checkConfig: unary((request: InstanceType<typeof providerProto.CheckRequest>) =>
      new providerProto.CheckResponse().setInputs(request.getNews()),
    ),
    diffConfig: unary(() => diffResponse([])),
    configure: unary(() =>
      new providerProto.ConfigureResponse()
        .setAcceptsecrets(true)
        .setAcceptresources(true)
        .setSupportspreview(true),
    ),
    invoke: unary((request: InstanceType<typeof providerProto.InvokeRequest>) =>
      new providerProto.InvokeResponse().setReturn(toStruct(answer(fromStruct(request.getArgs())))),
    ),
    check: unary((request: InstanceType<typeof providerProto.CheckRequest>) =>
      new providerProto.CheckResponse().setInputs(request.getNews()),
    ),
    diff: unary((request: InstanceType<typeof providerProto.DiffRequest>) => {
      const news = fromStruct(request.getNews());
      const olds = fromStruct(request.getOldInputs());
      for (const ignored of request.getIgnorechangesList()) {
        const old = olds[ignored];
        if (old !== undefined) news[ignored] = old;
      }
      const type = typeOf(request.getUrn());
      const found = changes(olds, news);
      return diffResponse(found.map((each) => ({ ...each, replaces: replaces(each, type) })));
    }),
    create: unary((request: InstanceType<typeof providerProto.CreateRequest>) => {
      const inputs = fromStruct(request.getProperties());
      const outputs = OUTPUTS[typeOf(request.getUrn())];
      const response = new providerProto.CreateResponse();
      if (request.getPreview()) {
        const unknown = Object.keys(outputs?.(inputs, "") ?? {}).map(
          (key) => [key, UNKNOWN] as const,
        );
        return response.setProperties(toStruct({ ...inputs, ...Object.fromEntries(unknown) }));
      }
      const id = randomBytes(16).toString("hex");
      return response.setId(id).setProperties(toStruct({ ...inputs, ...outputs?.(inputs, id) }));
    }),
    read: unary((request: InstanceType<typeof providerProto.ReadRequest>) =>
      new providerProto.ReadResponse()
        .setId(request.getId())
        .setProperties(request.getProperties())
        .setInputs(request.getInputs()),
    ),
    update: unary((request: InstanceType<typeof providerProto.UpdateRequest>) => {
      const inputs = fromStruct(request.getNews());
      const olds = fromStruct(request.getOlds());
      const made = Object.keys(OUTPUTS[typeOf(request.getUrn())]?.(inputs, "") ?? {});
      const isOpen = request.getPreview() && hasUnknown(inputs);
      const kept = made.map((key) => [key, isOpen ? UNKNOWN : (olds[key] ?? "")] as const);
      return new providerProto.UpdateResponse().setProperties(
        toStruct({ ...inputs, ...Object.fromEntries(kept) }),
      );
    }),
    delete: unary(() => new emptyProto.Empty()),
    cancel: unary(() => new emptyProto.Empty()),
  };
}

/** What a lookup answers: what it was asked, and digests made of that. */
function answer(args: RawProperties): RawProperties {
  const asked = plainProperties(args);
  const digest = createHash("sha256").update(JSON.stringify(asked)).digest("hex");
  return { ...args, id: digest.slice(0, 32), sha256Digest: `sha256:${digest}` };
}

// urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME
function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}

function diffResponse(found: readonly Change[]) {
  const { DiffChanges } = providerProto.DiffResponse;
  const { Kind } = providerProto.PropertyDiff;
  const response = new providerProto.DiffResponse()
    .setChanges(found.length > 0 ? DiffChanges.DIFF_SOME : DiffChanges.DIFF_NONE)
    .setHasdetaileddiff(true);
  for (const { path, replaces } of found) {
    const kind = replaces ? Kind.UPDATE_REPLACE : Kind.UPDATE;
    response.getDetaileddiffMap().set(path, new providerProto.PropertyDiff().setKind(kind));
    const [top = path] = path.split(/[.[]/);
    if (!response.getDiffsList().includes(top)) response.addDiffs(top);
    if (replaces && !response.getReplacesList().includes(top)) response.addReplaces(top);
  }
  return response;
}

function unary<Request, Response>(handle: (request: Request) => Response) {
  return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    try {
      callback(null, handle(call.request));
    } catch (error) {
      const details = error instanceof Error ? error.message : String(error);
      callback({ code: status.UNKNOWN, details });
    }
  };
}
