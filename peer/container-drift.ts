/** A container as Docker has it, against the compose file that it must follow. */
import { isDeepStrictEqual } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { excerpt, printable, size } from "../hub/format.ts";
import type { Container, Image } from "./container.ts";

const serviceSchema = z.object({
  image: z.string(),
  entrypoint: z.array(z.string()),
  command: z.array(z.string()),
  user: z.string(),
  /** The project's own network when left out. */
  network_mode: z.string().optional(),
  read_only: z.boolean(),
  cap_add: z.array(z.string()).default([]),
  cap_drop: z.array(z.string()),
  devices: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  mem_limit: z.string(),
  pids_limit: z.number(),
  restart: z.string(),
  logging: z.object({ driver: z.string(), options: z.record(z.string(), z.string()) }),
  volumes: z.array(z.object({ source: z.string(), target: z.string(), read_only: z.boolean() })),
  healthcheck: z.object({
    test: z.array(z.string()),
    interval: z.string(),
    timeout: z.string(),
    retries: z.number(),
    start_period: z.string(),
  }),
});

const fileSchema = z.object({ services: z.record(z.string(), serviceSchema) });

/** A service as the compose file describes it. */
export type Service = z.infer<typeof serviceSchema>;

/** Reads a compose file of our own making: its services by name. */
export function parseServices(text: string): ReadonlyMap<string, Service> {
  return new Map(Object.entries(fileSchema.parse(parse(text)).services));
}

/** The flags without which a backup can be destroyed, or read by another host: whatever file says. */
export function flagDrift({ Config }: Container): string[] {
  const has = (name: string) => isSet([...Config.Entrypoint, ...Config.Cmd], name);
  return [
    ...(has("--append-only")
      ? []
      : ["THE SERVER RUNS WITHOUT --append-only: whoever may write to it can delete backups"]),
    ...(has("--private-repos")
      ? []
      : ["THE SERVER RUNS WITHOUT --private-repos: every host may read and write all backups"]),
    ...(has("--no-auth")
      ? ["THE SERVER RUNS WITH --no-auth: it asks nobody for a credential"]
      : []),
  ];
}

const LOUD = /^--(?:append-only|private-repos|no-auth)(?:=|$)/;

/** Whether a switch is on: of several the last counts. */
function isSet(flags: readonly string[], name: string): boolean {
  const last = flags.findLast((flag) => flag === name || flag.startsWith(`${name}=`));
  return last !== undefined && (last === name || /=(?:1|t|true)$/i.test(last));
}

/** Whether the container is still what its image's name stands for. */
export function imageDrift(container: Container, image: Image | undefined): string[] {
  // An image whose name is gone from the machine says nothing: it is pulled when it is needed.
  if (image?.id === undefined || image.id === null || image.id === container.Image) return [];
  return [
    `the container runs another image than ${printable(container.Config.Image)} stands for on that machine`,
  ];
}

/** Something of a container that a person knows by a name. */
type Setting = readonly [name: string, actual: unknown, expected: unknown];

/** What of a container is not as its compose file says: a phrase each. */
export function containerDrift(
  container: Container,
  service: Service,
  image: Image | undefined,
): string[] {
  const { Config } = container;
  const phrases: string[] = [];
  if (Config.Image !== service.image) {
    phrases.push(
      `the container runs another image than ${service.image}: ${excerpt(Config.Image)}`,
    );
  }
  phrases.push(...commandDrift(container, service));
  const known = new Set(image?.env ?? []);
  for (const line of Config.Env) {
    // Docker adds PATH where the image has none.
    const name = line.split("=", 1)[0] ?? "";
    if (known.has(line) || name === "PATH") continue;
    phrases.push(`the container has a variable that it was not given: ${excerpt(name)}`);
  }
  for (const [name, actual, expected] of settingsOf(container, service)) {
    if (isDeepStrictEqual(actual, expected)) continue;
    phrases.push(`the container's ${name} is ${shown(actual)}, must be ${shown(expected)}`);
  }
  return phrases;
}

/** Of the flags: which are there, and which are not. Those of {@link flagDrift} are said there. */
function commandDrift({ Config }: Container, service: Service): string[] {
  const phrases: string[] = [];
  if (!isDeepStrictEqual(Config.Entrypoint, service.entrypoint)) {
    phrases.push(
      `the container runs another program than ${service.entrypoint.join(" ")}: ${excerpt(Config.Entrypoint.join(" ")) || "its image's own"}`,
    );
  }
  const missing = service.command.filter((flag) => !Config.Cmd.includes(flag) && !LOUD.test(flag));
  const extra = Config.Cmd.filter((flag) => !service.command.includes(flag) && !LOUD.test(flag));
  if (missing.length > 0) phrases.push(`the server runs without ${missing.join(" ")}`);
  if (extra.length > 0) phrases.push(`the server runs with ${excerpt(extra.join(" "))}`);
  return phrases;
}

function settingsOf({ Config, HostConfig, Mounts }: Container, service: Service): Setting[] {
  const { RestartPolicy, LogConfig } = HostConfig;
  const health = Config.Healthcheck;
  const wanted = service.healthcheck;
  return [
    ["user", Config.User, service.user],
    [
      "network",
      networkOf(HostConfig.NetworkMode, service),
      networkOf(service.network_mode, service),
    ],
    ["root file system's being read-only", HostConfig.ReadonlyRootfs, service.read_only],
    ["privilege", HostConfig.Privileged, false],
    ["list of added capabilities", capabilities(HostConfig.CapAdd), sorted(service.cap_add)],
    ["list of dropped capabilities", sorted(HostConfig.CapDrop), sorted(service.cap_drop)],
    ["list of security options", sorted(HostConfig.SecurityOpt), sorted(service.security_opt)],
    ["list of added groups", HostConfig.GroupAdd, []],
    [
      "list of devices",
      HostConfig.Devices.map(
        ({ PathOnHost, PathInContainer }) => `${PathOnHost}:${PathInContainer}`,
      ),
      service.devices,
    ],
    ["sharing of processes", HostConfig.PidMode, ""],
    ["sharing of users", HostConfig.UsernsMode, ""],
    ["sharing of the host's name", HostConfig.UTSMode, ""],
    ["sharing of memory with the host", HostConfig.IpcMode === "host", false],
    ["restart policy", RestartPolicy.Name, service.restart],
    ["removal at its end", HostConfig.AutoRemove, false],
    ["limit of memory", size(HostConfig.Memory), size(bytesOf(service.mem_limit))],
    ["limit of processes", HostConfig.PidsLimit, service.pids_limit],
    ["limit of processor time", limits(HostConfig), ""],
    ["log", LogConfig.Type, service.logging.driver],
    ["log's options", LogConfig.Config, service.logging.options],
    ["list of mounts", sorted(Mounts.map(mountText)), sorted(service.volumes.map(volumeText))],
    ["health check", health?.Test ?? [], wanted.test],
    [
      "health check's timing",
      [health?.Interval, health?.Timeout, health?.StartPeriod, health?.Retries],
      [
        ...[wanted.interval, wanted.timeout, wanted.start_period].map(nanosecondsOf),
        wanted.retries,
      ],
    ],
  ];
}

/** What Docker calls by an ID or by the project's name, in the words of the compose file. */
function networkOf(mode: string | undefined, { network_mode }: Service): string {
  if (mode === undefined || mode.endsWith("_default")) return "the project's own";
  // Whether it is the right container's is seen by the network itself.
  const isShared = mode.startsWith("container:") && network_mode?.startsWith("service:") === true;
  return isShared ? network_mode : mode;
}

function limits(host: Container["HostConfig"]): string {
  const { NanoCpus, CpuQuota, CpuShares, CpusetCpus, BlkioWeight } = host;
  return Object.entries({ NanoCpus, CpuQuota, CpuShares, CpusetCpus, BlkioWeight })
    .filter(([, value]) => value !== 0 && value !== "" && value !== -1)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");
}

function mountText({ Type, Source, Destination, RW }: Container["Mounts"][number]): string {
  return `${Type === "bind" ? "" : `${Type} `}${Source}:${Destination}${RW ? "" : ":ro"}`;
}

function volumeText({ source, target, read_only }: Service["volumes"][number]): string {
  return `${source}:${target}${read_only ? ":ro" : ""}`;
}

/** Docker says CAP_NET_ADMIN where it was told NET_ADMIN. */
function capabilities(list: readonly string[]): string[] {
  return sorted(list.map((name) => name.replace(/^CAP_/, "")));
}

function sorted(list: readonly string[]): string[] {
  return [...list].sort();
}

/** `512m` in bytes. */
function bytesOf(limit: string): number {
  return Number.parseInt(limit, 10) * 1024 ** 2;
}

/** `10s` in nanoseconds, as Docker keeps it. */
function nanosecondsOf(duration: string): number {
  return Number.parseInt(duration, 10) * 1e9;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "empty" : excerpt(value.join(" "));
  if (value === "") return "none";
  return excerpt(typeof value === "string" ? value : JSON.stringify(value));
}
