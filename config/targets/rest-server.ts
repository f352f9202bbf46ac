/** The settings of a rest-server on a peer's machine. */
import { z } from "zod";
import * as rules from "../rules.ts";
import { everyTarget, sizeGiB, sshSchema } from "./common.ts";
import { tlsSettings } from "./tls.ts";
import { tunnelSchema } from "./tunnel.ts";

/** rest-server 0.14.0 at Docker Hub: the digest of its manifest list for all platforms. */
export const REST_SERVER_IMAGE =
  "restic/rest-server:0.14.0@sha256:d2aff06f47eb38637dff580c3e6bce4af98f386c396a25d32eb6727ec96214a5";

/** A rest-server on a peer's machine. */
export const restServerTargetSchema = z.strictObject({
  type: z.literal("rest-server"),
  ssh: sshSchema,
  listen: rules.listenAddress
    .optional()
    .describe("The peer's address and port that the hub reaches, without a tunnel."),
  tunnel: tunnelSchema
    .optional()
    .describe("A tunnel of the server's own: it listens inside it, and on no address of the peer."),
  expose: z
    .literal("any")
    .optional()
    .describe("Says that listening on every address of the peer is meant."),
  url: rules.baseUrl
    .optional()
    .describe(
      "Where hub and hosts reach the server, when it is not http://<listen>/ or the tunnel's.",
    ),
  dataDir: rules.ownDirectory.describe("The server's directory on the peer."),
  maxSizeGiB: sizeGiB.describe("What all repositories may hold together, in GiB."),
  image: rules.imageReference
    .default(REST_SERVER_IMAGE)
    .describe("The server's image. Pin it by digest; the digest of a tag is looked up."),
  ...tlsSettings,
  ...everyTarget,
});

export type RestServerTargetConfig = z.infer<typeof restServerTargetSchema>;
