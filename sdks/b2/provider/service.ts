import type { sendUnaryData, ServerUnaryCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import pluginProto from "@pulumi/pulumi/proto/plugin_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import type { Client, Credentials } from "../client/client.ts";
import { CancelledError, UserError } from "../client/errors.ts";
import { applicationKeyResource } from "./applicationKey.ts";
import { bucketResource } from "./bucket.ts";
import type { Problem } from "./check.ts";
import { changedConfig, checkConfig, toCredentials } from "./config.ts";
import { toStatus } from "./errors.ts";
import { getAccountInfo, getApplicationKey, getBucket, type Invocable } from "./functions.ts";
import { InitFailedError, type ReadState, type Resource, type State } from "./resource.ts";
import { toDiffResponse, withoutIgnored } from "./response.ts";
import { decode, encode, type Received } from "./wire.ts";

const resources: Record<string, Resource> = {
  "b2:index/bucket:Bucket": bucketResource,
  "b2:index/applicationKey:ApplicationKey": applicationKeyResource,
};
const functions: Record<string, Invocable> = {
  "b2:index/getBucket:getBucket": getBucket,
  "b2:index/getApplicationKey:getApplicationKey": getApplicationKey,
  "b2:index/getAccountInfo:getAccountInfo": getAccountInfo,
};

/** What the service is made of. */
export interface ServiceOptions {
  version: string;
  /** Gives the package's schema as JSON; asked for only when the engine asks. */
  schema: () => Promise<string>;
  /** Makes the client; called at the first need. */
  makeClient: (credentials: Credentials) => Promise<Client>;
  environment: Record<string, string | undefined>;
}

/** The handlers of Pulumi's gRPC service `ResourceProvider`; what is not here is unimplemented. */
export function makeService(options: ServiceOptions): UntypedServiceImplementation {
  let credentials: Credentials = toCredentials({}, options.environment);
  let client: Promise<Client> | undefined;
  let cancelled = false;

  const connect = (): Promise<Client> => {
    if (cancelled) throw new CancelledError();
    return (client ??= options.makeClient(credentials));
  };

  return {
    handshake: unary(() => new providerProto.ProviderHandshakeResponse().setAcceptSecrets(true)),

    getPluginInfo: unary(() => new pluginProto.PluginInfo().setVersion(options.version)),

    attach: unary(() => new emptyProto.Empty()),

    // A state of the bridged provider says that the package is made by parameterization. It is this
    // one all the same, so such a state is taken over as it is.
    parameterize: unary((request: InstanceType<typeof providerProto.ParameterizeRequest>) => {
      const asked = request.getValue();
      if (asked?.getName() !== "b2") {
        throw new UserError("The b2 provider takes no parameters; it serves the package b2 only.");
      }
      return new providerProto.ParameterizeResponse()
        .setName("b2")
        .setVersion(asked.getVersion() || options.version);
    }),

    getSchema: unary(async () =>
      new providerProto.GetSchemaResponse().setSchema(await options.schema()),
    ),

    checkConfig: unary((request: InstanceType<typeof providerProto.CheckRequest>) => {
      const problems = checkConfig(decode(request.getNews()).values, options.environment);
      return checkResponse(request, problems);
    }),

    diffConfig: unary((request: InstanceType<typeof providerProto.DiffRequest>) => {
      const olds = decode(request.getOldInputs() ?? request.getOlds()).values;
      const changed = changedConfig(olds, decode(request.getNews()).values);
      return toDiffResponse({
        differences: changed.map((path) => ({ path, kind: "update", replaces: false })),
        deleteBeforeReplace: false,
      });
    }),

    configure: unary((request: InstanceType<typeof providerProto.ConfigureRequest>) => {
      credentials = toCredentials(decode(request.getArgs()).values, options.environment);
      client = undefined;
      return new providerProto.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true);
    }),

    check: unary((request: InstanceType<typeof providerProto.CheckRequest>) => {
      const { values } = decode(request.getNews());
      const problems = resourceOf(request.getUrn()).check(values, decode(request.getOlds()).values);
      return checkResponse(request, problems);
    }),

    diff: unary((request: InstanceType<typeof providerProto.DiffRequest>) => {
      const old = { id: request.getId(), properties: decode(request.getOlds()).values };
      const result = resourceOf(request.getUrn()).diff(old, decode(request.getNews()).values);
      return toDiffResponse(withoutIgnored(result, request.getIgnorechangesList()));
    }),

    create: unary(async (request: InstanceType<typeof providerProto.CreateRequest>) => {
      const resource = resourceOf(request.getUrn());
      const inputs = decode(request.getProperties());
      const response = new providerProto.CreateResponse();
      if (request.getPreview()) {
        const properties = resource.preview(inputs.values);
        return response.setProperties(outputs(resource, properties, inputs));
      }
      try {
        const { id, properties } = await resource.create(await connect(), inputs.values);
        return response.setId(id).setProperties(outputs(resource, properties, inputs));
      } catch (error) {
        if (error instanceof InitFailedError) error.secrets = inputs.secrets;
        throw error;
      }
    }),

    read: unary(async (request: InstanceType<typeof providerProto.ReadRequest>) => {
      const resource = resourceOf(request.getUrn());
      const id = request.getId();
      const state = decode(request.getProperties());
      const inputs = decode(request.getInputs());
      const isNew = Object.keys(state.values).length === 0;
      const old: ReadState = { id, properties: state.values, inputs: inputs.values };
      const found = await resource.read(await connect(), id, isNew ? undefined : old);
      const response = new providerProto.ReadResponse();
      if (!found) return response;
      return response
        .setId(found.id)
        .setProperties(outputs(resource, found.properties, state, inputs))
        .setInputs(encode(found.inputs, inputs.secrets));
    }),

    update: unary(async (request: InstanceType<typeof providerProto.UpdateRequest>) => {
      const resource = resourceOf(request.getUrn());
      const state = decode(request.getOlds());
      const inputs = decode(request.getNews());
      const old: State = { id: request.getId(), properties: state.values };
      const properties = request.getPreview()
        ? resource.preview(inputs.values, old)
        : await resource.update(await connect(), old, inputs.values);
      return new providerProto.UpdateResponse().setProperties(
        outputs(resource, properties, inputs),
      );
    }),

    delete: unary(async (request: InstanceType<typeof providerProto.DeleteRequest>) => {
      const old = { id: request.getId(), properties: decode(request.getProperties()).values };
      await resourceOf(request.getUrn()).delete(await connect(), old);
      return new emptyProto.Empty();
    }),

    invoke: unary(async (request: InstanceType<typeof providerProto.InvokeRequest>) => {
      const called = functions[request.getTok()];
      if (!called) throw new Error(`The b2 package has no function "${request.getTok()}".`);
      const args = decode(request.getArgs());
      const response = new providerProto.InvokeResponse();
      const problems = called.check(args.values);
      if (problems.length > 0) return response.setFailuresList(problems.map(checkFailure));
      const result = await called.invoke(await connect(), args.values);
      return response.setReturn(encode(result, new Set(called.secretOutputs)));
    }),

    cancel: unary(async () => {
      cancelled = true;
      (await client)?.cancel();
      return new emptyProto.Empty();
    }),
  };
}

function unary<Request, Response>(handle: (request: Request) => Response | Promise<Response>) {
  return (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    // In a promise, so that what is thrown at once is answered like what is thrown later.
    Promise.resolve(call.request)
      .then(handle)
      .then(
        (response) => callback(null, response),
        (error: unknown) => callback(toStatus(error)),
      );
  };
}

// urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME
function resourceOf(urn: string): Resource {
  const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
  const resource = resources[type];
  if (!resource) throw new Error(`The b2 package has no resource "${type}".`);
  return resource;
}

function checkResponse(
  request: InstanceType<typeof providerProto.CheckRequest>,
  problems: Problem[],
) {
  return new providerProto.CheckResponse()
    .setInputs(request.getNews())
    .setFailuresList(problems.map(checkFailure));
}

function checkFailure({ property, reason }: Problem) {
  return new providerProto.CheckFailure().setProperty(property).setReason(reason);
}

// An output is as secret as the input, or the old output, of its name.
function outputs(resource: Resource, properties: ReadState["properties"], ...from: Received[]) {
  const secrets = new Set([
    ...resource.secretOutputs,
    ...from.flatMap((received) => [...received.secrets]),
  ]);
  return encode(properties, secrets);
}
