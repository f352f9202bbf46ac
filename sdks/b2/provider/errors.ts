import { Metadata, status, type ServiceError } from "@grpc/grpc-js";
import anyProto from "google-protobuf/google/protobuf/any_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import statusProto from "@pulumi/pulumi/proto/status_pb.js";
import {
  B2Error,
  CancelledError,
  ConnectionError,
  OutcomeUnknownError,
  UserError,
} from "../client/errors.ts";
import { InitFailedError } from "./resource.ts";
import { encode } from "./wire.ts";

/**
 * The gRPC status for an error: one line. A resource that came to be but is not finished travels as
 * a detail, so that the engine takes it into the state.
 */
export function toStatus(error: unknown): Partial<ServiceError> {
  const message = messageOf(error);
  const code = error instanceof CancelledError ? status.CANCELLED : status.UNKNOWN;
  if (!(error instanceof InitFailedError)) return { code, details: message, message };
  const detail = new providerProto.ErrorResourceInitFailed()
    .setId(error.id)
    .setProperties(encode(error.properties, error.secrets))
    .setReasonsList([message]);
  const packed = new anyProto.Any();
  packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const rpcStatus = new statusProto.Status().setCode(code).setMessage(message);
  rpcStatus.addDetails(packed);
  const metadata = new Metadata();
  metadata.add("grpc-status-details-bin", Buffer.from(rpcStatus.serializeBinary()));
  return { code, details: message, message, metadata };
}

function messageOf(error: unknown): string {
  const expected = [
    B2Error,
    CancelledError,
    ConnectionError,
    InitFailedError,
    OutcomeUnknownError,
    UserError,
  ];
  if (expected.some((kind) => error instanceof kind)) return (error as Error).message;
  // A bug: where it happened helps whoever mends it.
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `The b2 provider failed unexpectedly: ${text}`;
}
