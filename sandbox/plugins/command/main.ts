/**
 * The stand-in for the official `command` plugin, where that cannot be had. It serves what
 * `@pulumi/command` 1.2.1 declares for `local.Command` and `remote.Command`, keeps state in the same
 * shape, and refuses what it does not implement. The engine starts it with its own address.
 */
import { Server, ServerCredentials } from "@grpc/grpc-js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { sweepPrivateFolders } from "../../../peer/ssh.ts";
import { EngineLog } from "./log.ts";
import { makeService } from "./service.ts";

const server = new Server({
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
});
await sweepPrivateFolders();
server.addService(
  providerService.ResourceProviderService,
  makeService(new EngineLog(process.argv[2])),
);

// The engine tells of a Ctrl-C by a call, and ends a plugin by this signal when it has no more use
// for it; it waits five seconds for one that does not go. What still runs is finished first.
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
