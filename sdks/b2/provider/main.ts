import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { Client } from "../client/client.ts";
import { isProxied } from "../client/transport.ts";
import { makeService } from "./service.ts";

// Both this file and the bundle made of it lie one folder below the package's.
const packageFolder = new URL("../", import.meta.url);
const version = "0.13.0";

const server = new Server({
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
});
server.addService(
  providerService.ResourceProviderService,
  makeService({
    version,
    schema: () => readFile(fileURLToPath(new URL("schema.json", packageFolder)), "utf8"),
    makeClient: async (credentials) => {
      if (!isProxied(process.env)) return new Client(credentials);
      const { proxyTransport } = await import("../client/proxy.ts");
      return new Client(credentials, { transport: proxyTransport() });
    },
    environment: process.env,
  }),
);

// The engine's way to end a plugin, for which it waits a while: calls under way come to their end.
process.on("SIGINT", () => server.tryShutdown(() => process.exit(0)));

// An engine that was killed cannot stop its plugins.
const engine = process.ppid;
setInterval(() => {
  if (process.ppid !== engine) process.exit(1);
}, 2_000).unref();

server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  // The engine reads the port from the first line.
  process.stdout.write(`${port}\n`);
});
