/**
 * A plugin that makes nothing: it says of every resource that it was made as asked for. With it a
 * program's resources get into a state without an account, a peer or a network, so that a preview of
 * another version of the program has something to be compared with. The engine starts it with its own
 * address; the link that it is started by says which package it stands for.
 */
import { createRequire } from "node:module";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { pretend } from "./service.ts";

const name = process.argv[2] ?? "";
// As the SDK asks for it: the engine warns of another.
const { version, pulumi } = createRequire(import.meta.url)(`@pulumi/${name}/package.json`) as {
  version: string;
  pulumi?: { version?: string };
};

const server = new Server({
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
});
server.addService(
  providerService.ResourceProviderService,
  pretend(name, pulumi?.version ?? version),
);
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
