/** The settings of a directory on a peer that is reached by SFTP. */
import { z } from "zod";
import * as rules from "../rules.ts";
import { everyTarget, sizeGiB, sshSchema } from "./common.ts";

/** A directory on a peer's machine, reached through its SSH server. */
export const sftpTargetSchema = z.strictObject({
  type: z.literal("sftp"),
  ssh: sshSchema,
  address: rules.machineAddress
    .optional()
    .describe("Where hub and hosts reach the peer's SSH server, when it is not ssh.host."),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe("The port of the peer's SSH server for hub and hosts, when it is not ssh.port."),
  dataDir: rules.ownDirectory.describe("The target's directory on the peer."),
  maxSizeGiB: sizeGiB.describe("What all repositories may hold together, in GiB."),
  ...everyTarget,
});

export type SftpTargetConfig = z.infer<typeof sftpTargetSchema>;
