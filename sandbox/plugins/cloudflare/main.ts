/**
 * The stand-in for the official `cloudflare` plugin, where that cannot be had. It serves what an R2
 * target uses of `@pulumi/cloudflare` 6.22.1, and works at the sandbox's stand-in for Cloudflare
 * alone.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { makeService } from "./service.ts";

const server = new Server({
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
});
server.addService(providerService.ResourceProviderService, makeService());

// The engine ends a plugin by this signal when it has no more use for it.
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
