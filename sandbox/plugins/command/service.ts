/** The handlers of Pulumi's gRPC service `ResourceProvider`; what is not here is unimplemented. */
import { randomBytes } from "node:crypto";
import {
  status,
  type sendUnaryData,
  type ServerUnaryCall,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import pluginProto from "@pulumi/pulumi/proto/plugin_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import { changes, type Change } from "./diff.ts";
import {
  checkInputs,
  inputsOf,
  KINDS,
  parseLocal,
  parseRemote,
  withDefaults,
  type Kind,
} from "./inputs.ts";
import { runLocal } from "./local.ts";
import type { Log } from "./log.ts";
import { runRemote } from "./remote.ts";
import type { Outputs } from "./run.ts";
import {
  fromStruct,
  hasSecret,
  hasUnknown,
  plainProperties,
  toStruct,
  UNKNOWN,
  type Raw,
  type RawProperties,
} from "./wire.ts";

/** The version of `@pulumi/command` whose resources are served. */
const VERSION = "1.2.1";

/** Makes the service. */
export function makeService(log: Log): UntypedServiceImplementation {
  const cancelled = new AbortController();

  const run = async (
    urn: string,
    which: "create" | "update" | "delete",
    inputs: RawProperties,
    previous: Outputs,
  ): Promise<Outputs> => {
    const command = inputs[which];
    if (command === undefined) return previous;
    const { [which]: text } = plainProperties({ [which]: command });
    const it = {
      command: typeof text === "string" ? text : "",
      isSecret: hasSecret(command),
      previous,
      urn,
      log,
      signal: cancelled.signal,
    };
    try {
      return kindOf(urn) === "command:local:Command"
        ? await runLocal(parseLocal(inputs), it)
        : await runRemote(parseRemote(inputs), it);
    } finally {
      await log.flush();
    }
  };

  return {
    handshake: unary(() => new providerProto.ProviderHandshakeResponse().setAcceptSecrets(true)),
    getPluginInfo: unary(() => new pluginProto.PluginInfo().setVersion(VERSION)),
    attach: unary(() => new emptyProto.Empty()),
    getSchema: unary(() =>
      new providerProto.GetSchemaResponse().setSchema(
        JSON.stringify({ name: "command", version: VERSION }),
      ),
    ),
    checkConfig: unary((request: InstanceType<typeof providerProto.CheckRequest>) =>
      new providerProto.CheckResponse().setInputs(request.getNews()),
    ),
    diffConfig: unary(() => new providerProto.DiffResponse().setChanges(NO_CHANGE)),
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
      const kind = kindOf(request.getUrn());
      const inputs = withDefaults(kind, fromStruct(request.getNews()));
      const failures = checkInputs(kind, inputs).map(({ property, reason }) =>
        new providerProto.CheckFailure().setProperty(property).setReason(reason),
      );
      return new providerProto.CheckResponse()
        .setInputs(toStruct(inputs))
        .setFailuresList(failures);
    }),

    diff: unary((request: InstanceType<typeof providerProto.DiffRequest>) => {
      const olds = inputsOf(fromStruct(request.getOlds()));
      const news = fromStruct(request.getNews());
      for (const name of request.getIgnorechangesList()) {
        const old = olds[name];
        if (old !== undefined) news[name] = old;
      }
      return diffResponse(changes(olds, news));
    }),

    create: unary(async (request: InstanceType<typeof providerProto.CreateRequest>) => {
      const inputs = fromStruct(request.getProperties());
      const response = new providerProto.CreateResponse();
      if (request.getPreview()) {
        return response.setProperties(toStruct({ ...inputs, stdout: UNKNOWN, stderr: UNKNOWN }));
      }
      const urn = request.getUrn();
      const outputs = await run(urn, "create", inputs, { stdout: "", stderr: "" });
      // As the official plugin names them: the resource's name and random characters.
      const id = `${nameOf(urn)}${randomBytes(4).toString("hex")}`;
      return response.setId(id).setProperties(toStruct({ ...inputs, ...outputs }));
    }),

    read: unary((request: InstanceType<typeof providerProto.ReadRequest>) =>
      new providerProto.ReadResponse()
        .setId(request.getId())
        .setProperties(request.getProperties())
        .setInputs(request.getInputs()),
    ),

    update: unary(async (request: InstanceType<typeof providerProto.UpdateRequest>) => {
      const olds = fromStruct(request.getOlds());
      const inputs = fromStruct(request.getNews());
      const old = { stdout: olds.stdout ?? "", stderr: olds.stderr ?? "" };
      const response = new providerProto.UpdateResponse();
      if (request.getPreview()) {
        const isChange = hasUnknown(inputs) || changes(inputsOf(olds), inputs).length > 0;
        const outputs = isChange ? { stdout: UNKNOWN, stderr: UNKNOWN } : old;
        return response.setProperties(toStruct({ ...inputs, ...outputs }));
      }
      const which = inputs.update === undefined ? "create" : "update";
      const previous = textOf(old);
      const outputs = await run(request.getUrn(), which, inputs, previous);
      return response.setProperties(toStruct({ ...inputs, ...outputs }));
    }),

    delete: unary(async (request: InstanceType<typeof providerProto.DeleteRequest>) => {
      const state = fromStruct(request.getProperties());
      await run(request.getUrn(), "delete", inputsOf(state), textOf(state));
      return new emptyProto.Empty();
    }),

    cancel: unary(() => {
      cancelled.abort(new Error("The deployment was cancelled."));
      return new emptyProto.Empty();
    }),
  };
}

const NO_CHANGE = providerProto.DiffResponse.DiffChanges.DIFF_NONE;

function diffResponse(found: readonly Change[]) {
  const { DiffChanges } = providerProto.DiffResponse;
  const { Kind: PropertyKind } = providerProto.PropertyDiff;
  const response = new providerProto.DiffResponse()
    .setChanges(found.length > 0 ? DiffChanges.DIFF_SOME : DiffChanges.DIFF_NONE)
    .setHasdetaileddiff(true);
  const kinds = {
    add: [PropertyKind.ADD, PropertyKind.ADD_REPLACE],
    delete: [PropertyKind.DELETE, PropertyKind.DELETE_REPLACE],
    update: [PropertyKind.UPDATE, PropertyKind.UPDATE_REPLACE],
  } as const;
  for (const { path, kind, replaces } of found) {
    const [plain, replace] = kinds[kind];
    response
      .getDetaileddiffMap()
      .set(path, new providerProto.PropertyDiff().setKind(replaces ? replace : plain));
    const [top = path] = path.split(/[.[]/);
    if (!response.getDiffsList().includes(top)) response.addDiffs(top);
    if (replaces && !response.getReplacesList().includes(top)) response.addReplaces(top);
  }
  return response;
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

function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

function textOf(outputs: { stdout?: Raw; stderr?: Raw }): Outputs {
  const { stdout, stderr } = plainProperties({
    stdout: outputs.stdout ?? "",
    stderr: outputs.stderr ?? "",
  });
  return {
    stdout: typeof stdout === "string" ? stdout : "",
    stderr: typeof stderr === "string" ? stderr : "",
  };
}

function notImplemented(what: string): string {
  return `The sandbox's stand-in for the command plugin does not implement ${what}. Install the official plugin: pulumi plugin install resource command v${VERSION}`;
}
