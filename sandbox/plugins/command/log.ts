/** Messages to the engine, which shows them beside the resource. */
import { credentials } from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineProto from "@pulumi/pulumi/proto/engine_pb.js";

/** Where the lines of a command's output go. */
export interface Log {
  /** Shows a line beside a resource until the next one comes. */
  status(urn: string, line: string): void;
  /** Shows a warning that stays. */
  warning(urn: string, message: string): void;
  /** Resolves when all is delivered, or given up. */
  flush(): Promise<void>;
}

/** A log at the engine that started this plugin. */
export class EngineLog implements Log {
  readonly #client: engineService.EngineClient | undefined;
  #queue: Promise<void> = Promise.resolve();

  /** @param address - The engine's, as it is given to plugins; without one nothing is shown. */
  constructor(address: string | undefined) {
    if (address !== undefined && address !== "") {
      this.#client = new engineService.EngineClient(address, credentials.createInsecure());
    }
  }

  status(urn: string, line: string): void {
    this.#send(urn, line, engineProto.LogSeverity.INFO, true);
  }

  warning(urn: string, message: string): void {
    this.#send(urn, message, engineProto.LogSeverity.WARNING, false);
  }

  async flush(): Promise<void> {
    await this.#queue;
  }

  #send(urn: string, message: string, severity: engineProto.LogSeverity, ephemeral: boolean) {
    const client = this.#client;
    if (client === undefined) return;
    const request = new engineProto.LogRequest()
      .setUrn(urn)
      .setMessage(message)
      .setSeverity(severity)
      .setEphemeral(ephemeral);
    // One after another, so that the lines keep their order. A log that fails fails nothing else.
    this.#queue = this.#queue.then(
      () =>
        new Promise((resolve) => {
          client.log(request, () => {
            resolve();
          });
        }),
    );
  }
}
