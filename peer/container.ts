/** What is needed of what Docker says of containers. */
import { z } from "zod";

const texts = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const count = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);

const mount = z.object({
  Type: text,
  Source: text,
  Destination: text,
  RW: flag,
});

/** What is needed of `docker inspect`. A list or a number that is left out is an empty one. */
export const containerSchema = z.object({
  Id: z.string(),
  Name: z.string(),
  Image: z.string(),
  State: z.object({
    Status: z.string(),
    Running: flag,
    ExitCode: count,
    Health: z.object({ Status: text }).nullish(),
  }),
  Config: z.object({
    Image: text,
    User: text,
    Entrypoint: texts,
    Cmd: texts,
    Env: texts,
    Labels: z
      .record(z.string(), z.string())
      .nullish()
      .transform((labels) => labels ?? {}),
    Healthcheck: z
      .object({ Test: texts, Interval: count, Timeout: count, Retries: count, StartPeriod: count })
      .nullish(),
  }),
  HostConfig: z.object({
    NetworkMode: text,
    ReadonlyRootfs: flag,
    Privileged: flag,
    AutoRemove: flag,
    CapAdd: texts,
    CapDrop: texts,
    SecurityOpt: texts,
    GroupAdd: texts,
    PidMode: text,
    IpcMode: text,
    UTSMode: text,
    UsernsMode: text,
    Devices: z
      .array(z.object({ PathOnHost: text, PathInContainer: text }))
      .nullish()
      .transform((list) => list ?? []),
    RestartPolicy: z.object({ Name: text, MaximumRetryCount: count }),
    Memory: count,
    PidsLimit: count,
    NanoCpus: count,
    CpuQuota: count,
    CpuShares: count,
    CpusetCpus: text,
    BlkioWeight: count,
    LogConfig: z.object({
      Type: text,
      Config: z
        .record(z.string(), z.string())
        .nullish()
        .transform((options) => options ?? {}),
    }),
  }),
  Mounts: z
    .array(mount)
    .nullish()
    .transform((list) => list ?? []),
});

/** The image that a name stands for. */
export const imageSchema = z.object({ id: z.string().nullable(), env: texts });

/** A running container of somebody else's. */
export const otherSchema = z.object({
  name: z.string(),
  mounts: z
    .array(mount)
    .nullish()
    .transform((list) => list ?? []),
});

/** A container as Docker has it. */
export type Container = z.infer<typeof containerSchema>;
export type Image = z.infer<typeof imageSchema>;
export type OtherContainer = z.infer<typeof otherSchema>;
