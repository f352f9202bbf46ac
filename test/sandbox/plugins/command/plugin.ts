/** The plugin as the engine starts it, and calls of its gRPC service for tests. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type engineProto from "@pulumi/pulumi/proto/engine_pb.js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import {
  fromStruct,
  toStruct,
  type RawProperties,
} from "../../../../sandbox/plugins/command/wire.ts";

const EXECUTABLE = path.resolve("sandbox/plugins/command/pulumi-resource-command");

/** What the plugin wrote to the engine's log. */
export interface Logged {
  message: string;
  ephemeral: boolean;
}

/** What a diff says. */
export interface Diffed {
  changed: boolean;
  diffs: string[];
  replaces: string[];
  detailed: Record<string, string>;
}

/** A running plugin, with an engine that only listens. */
export class Plugin {
  readonly logged: Logged[] = [];
  readonly #type: string;
  readonly #child: ChildProcess;
  readonly #engine: Server;
  readonly #client: providerService.ResourceProviderClient;

  private constructor(
    type: string,
    child: ChildProcess,
    engine: Server,
    client: providerService.ResourceProviderClient,
  ) {
    this.#type = type;
    this.#child = child;
    this.#engine = engine;
    this.#client = client;
  }

  /** @param type - "local" or "remote". */
  static async start(
    type: "local" | "remote",
    options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
  ): Promise<Plugin> {
    const logged: Logged[] = [];
    const engine = new Server();
    engine.addService(engineService.EngineService, {
      log: (
        call: { request: engineProto.LogRequest },
        done: (error: null, reply: unknown) => void,
      ) => {
        logged.push({
          message: call.request.getMessage(),
          ephemeral: call.request.getEphemeral(),
        });
        done(null, new emptyProto.Empty());
      },
    });
    const listen = promisify(engine.bindAsync.bind(engine));
    const enginePort = await listen("127.0.0.1:0", ServerCredentials.createInsecure());
    const child = spawn(EXECUTABLE, [`127.0.0.1:${enginePort}`], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, SSH_AUTH_SOCK: undefined, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const [port] = (await once(createInterface(child.stdout), "line")) as [string];
    const client = new providerService.ResourceProviderClient(
      `127.0.0.1:${port}`,
      credentials.createInsecure(),
    );
    const plugin = new Plugin(`command:${type}:Command`, child, engine, client);
    plugin.logged.push(...logged);
    logged.push = (...items) => plugin.logged.push(...items);
    return plugin;
  }

  async stop(): Promise<void> {
    this.#client.close();
    this.#engine.forceShutdown();
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  async check(news: RawProperties): Promise<{ inputs: RawProperties; failures: string[] }> {
    const request = new providerProto.CheckRequest().setUrn(this.#urn()).setNews(toStruct(news));
    const response = await call<providerProto.CheckResponse>((done) =>
      this.#client.check(request, done),
    );
    const failures = response.getFailuresList();
    return {
      inputs: fromStruct(response.getInputs()),
      failures: failures.map((failure) => `${failure.getProperty()}: ${failure.getReason()}`),
    };
  }

  async diff(olds: RawProperties, news: RawProperties): Promise<Diffed> {
    const request = new providerProto.DiffRequest()
      .setUrn(this.#urn())
      .setOlds(toStruct(olds))
      .setNews(toStruct(news));
    const response = await call<providerProto.DiffResponse>((done) =>
      this.#client.diff(request, done),
    );
    const kinds = Object.entries(providerProto.PropertyDiff.Kind);
    const detailed: Record<string, string> = {};
    response.getDetaileddiffMap().forEach((diff, property) => {
      detailed[property] = kinds.find(([, kind]) => kind === diff.getKind())?.[0] ?? "";
    });
    return {
      changed: response.getChanges() === providerProto.DiffResponse.DiffChanges.DIFF_SOME,
      diffs: response.getDiffsList(),
      replaces: response.getReplacesList(),
      detailed,
    };
  }

  /** Creates with checked inputs, as the engine does. */
  async create(news: RawProperties, preview = false): Promise<RawProperties> {
    const { inputs, failures } = await this.check(news);
    if (failures.length > 0) throw new Error(failures.join("\n"));
    const request = new providerProto.CreateRequest()
      .setUrn(this.#urn())
      .setProperties(toStruct(inputs))
      .setPreview(preview);
    const response = await call<providerProto.CreateResponse>((done) =>
      this.#client.create(request, done),
    );
    return fromStruct(response.getProperties());
  }

  async update(olds: RawProperties, news: RawProperties, preview = false): Promise<RawProperties> {
    const { inputs, failures } = await this.check(news);
    if (failures.length > 0) throw new Error(failures.join("\n"));
    const request = new providerProto.UpdateRequest()
      .setUrn(this.#urn())
      .setId("id")
      .setOlds(toStruct(olds))
      .setNews(toStruct(inputs))
      .setPreview(preview);
    const response = await call<providerProto.UpdateResponse>((done) =>
      this.#client.update(request, done),
    );
    return fromStruct(response.getProperties());
  }

  async delete(state: RawProperties): Promise<void> {
    const request = new providerProto.DeleteRequest()
      .setUrn(this.#urn())
      .setId("id")
      .setProperties(toStruct(state));
    await call((done) => this.#client.delete(request, done));
  }

  async cancel(): Promise<void> {
    await call((done) => this.#client.cancel(new emptyProto.Empty(), done));
  }

  #urn(): string {
    return `urn:pulumi:dev::test::${this.#type}::it`;
  }
}

async function call<Response>(
  start: (done: (error: { details: string } | null, response: Response) => void) => unknown,
): Promise<Response> {
  return await new Promise((resolve, reject) => {
    start((error, response) => {
      if (error === null) resolve(response);
      else reject(new Error(error.details));
    });
  });
}
