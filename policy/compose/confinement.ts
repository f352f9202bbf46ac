/** Where a service of a compose file is let out of its container. */
import { asText, isObject, shown } from "../values.ts";
import { networkOf } from "./exposure.ts";
import type { Project, Service } from "./project.ts";
import { words } from "./project.ts";

/** What a tunnel needs to make its network interface. */
const TUNNEL_CAPABILITIES: ReadonlySet<string> = new Set(["NET_ADMIN", "NET_RAW"]);
/** A port below 1024. */
const HARMLESS_CAPABILITIES: ReadonlySet<string> = new Set(["NET_BIND_SERVICE"]);
const TUNNEL_DEVICE = "/dev/net/tun";

/** What is the machine's and nobody else's, with all that is below; `/` itself is told apart. */
const FORBIDDEN =
  /^\/(?:bin|boot|dev|etc|lib|lib32|lib64|proc|root|run|sbin|sys|usr|var\/run|var\/lib\/docker)(?:\/|$)/;
/** Directories in which ours may be, and which are not ours. */
const SHARED =
  /^\/(?:home(?:\/[^/]+)?|media|mnt|opt|srv|tmp|var(?:\/(?:lib|log|tmp|backups))?)\/?$/;
const PRIVATE = /^~|(?:^|\/)\.(?:ssh|gnupg|docker|aws|config)(?:\/|$)/;
const SOCKET =
  /(?:docker|containerd|podman|crio)(?:[\w.-]*)\.sock\b|^\/(?:var\/)?run\/(?:docker|containerd|podman)\b/;

/** Whether a service is a tunnel: what it is made of says so. */
export function isTunnel({ image, name }: Service): boolean {
  return (
    /tailscale|wireguard|headscale/.test(image) || /^(?:tunnel|tailscale|wireguard)$/.test(name)
  );
}

/** Whether a service is a tunnel in a network that is not the machine's. */
function isTunnelOfItsOwn(service: Service, project: Project): boolean {
  const network = networkOf(service, project);
  return isTunnel(service) && network?.mode === "bridge";
}

/** What is wrong with a service's confinement, in sentences without subject. */
export function escapesOf(service: Service, project: Project): string[] {
  const { settings } = service;
  return [
    ...privilegeProblems(settings),
    ...namespaceProblems(settings),
    ...capabilityProblems(service, isTunnelOfItsOwn(service, project)),
    ...securityProblems(settings),
    ...deviceProblems(service, isTunnelOfItsOwn(service, project)),
    ...mountProblems(service, project),
  ];
}

/** What a service could do without, in sentences without subject. */
export function loosenessOf({ settings }: Service): string[] {
  const problems: string[] = [];
  if (!words(settings.cap_drop).some((name) => name.toUpperCase() === "ALL")) {
    problems.push('it keeps capabilities. Set cap_drop to ["ALL"]');
  }
  if (!words(settings.security_opt).some((each) => /^no-new-privileges(?:[:=]true)?$/.test(each))) {
    problems.push('its programs may gain rights. Set security_opt to ["no-new-privileges:true"]');
  }
  const user = asText(settings.user ?? "root");
  if (/^(?:root|0)(?::|$)/.test(user)) {
    problems.push("it runs as root. Set user to an ID that belongs to nobody");
  }
  return problems;
}

function privilegeProblems(settings: Service["settings"]): string[] {
  const problems: string[] = [];
  if (isTruthy(settings.privileged)) {
    problems.push("it is privileged, which makes its root the machine's. Remove privileged");
  }
  for (const hook of ["post_start", "pre_stop"]) {
    const list: unknown[] = Array.isArray(settings[hook]) ? settings[hook] : [];
    if (list.some((each) => isObject(each) && isTruthy(each.privileged))) {
      problems.push(`its ${hook} is privileged. Remove it`);
    }
  }
  if (isTruthy(settings.use_api_socket)) {
    problems.push("it is handed the container engine's socket (use_api_socket). Remove it");
  }
  return problems;
}

/** Anything but a plain no: a variable could be a yes. */
function isTruthy(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== "false";
}

function namespaceProblems(settings: Service["settings"]): string[] {
  return ["pid", "ipc", "uts", "userns_mode", "cgroup"]
    .filter((name) => /^(?:host$|container:)|\$/.test(asText(settings[name])))
    .map(
      (name) =>
        `it shares a namespace that is not its own (${name}: ${shown(settings[name])}). Remove ${name}`,
    );
}

function capabilityProblems(service: Service, mayTunnel: boolean): string[] {
  const added = words(service.settings.cap_add).map((name) =>
    name.toUpperCase().replace(/^CAP_/, ""),
  );
  const bad = added.filter(
    (name) => !HARMLESS_CAPABILITIES.has(name) && !(mayTunnel && TUNNEL_CAPABILITIES.has(name)),
  );
  if (bad.length === 0) return [];
  return [`it is given ${bad.map(shown).join(", ")}. Remove that from cap_add`];
}

function securityProblems({ security_opt }: Service["settings"]): string[] {
  return words(security_opt)
    .filter((each) => /unconfined|disable|no-new-privileges[:=]false|writable-cgroups/.test(each))
    .map((each) => `security_opt ${shown(each)} turns a protection off. Remove it`);
}

function deviceProblems(service: Service, mayTunnel: boolean): string[] {
  const { devices, device_cgroup_rules } = service.settings;
  const list: unknown[] = Array.isArray(devices) ? devices : devices === undefined ? [] : [devices];
  const bad = list
    .map((each) => (isObject(each) ? asText(each.source) : (String(each).split(":")[0] ?? "")))
    .filter((device) => !(mayTunnel && device === TUNNEL_DEVICE));
  return [
    ...bad.map((device) => `it is given the device ${shown(device)}. Remove it from devices`),
    ...(device_cgroup_rules === undefined
      ? []
      : ["device_cgroup_rules lets it use the machine's devices. Remove it"]),
  ];
}

function mountProblems({ settings }: Service, project: Project): string[] {
  const problems = settings.volumes_from === undefined ? [] : ["volumes_from cannot be judged"];
  const list: unknown[] = Array.isArray(settings.volumes) ? settings.volumes : [];
  const sources = list.map(sourceOf).map((source) => deviceOf(source, project) ?? source);
  for (const source of sources) {
    if (SOCKET.test(source)) {
      problems.push(
        `it is handed the container engine (${shown(source)}), which makes it the machine's root. Remove that volume`,
      );
    } else if ([/^\/$/, FORBIDDEN, SHARED, PRIVATE].some((each) => each.test(normal(source)))) {
      problems.push(`it is handed ${shown(source)} of the machine. Remove that volume`);
    } else if (source.includes("$")) {
      problems.push(
        `a variable decides what it is handed of the machine (${shown(source)}). Write the path itself`,
      );
    } else if (/(?:^|\/)\.\.(?:\/|$)/.test(source)) {
      problems.push(`it is handed ${shown(source)}, which leads elsewhere. Write the path itself`);
    }
  }
  return problems;
}

function normal(path: string): string {
  return path.replaceAll(/\/(?:\.?\/)+/g, "/");
}

/** What a volume mounts: a path of the machine, or the name of a volume. */
function sourceOf(volume: unknown): string {
  if (isObject(volume)) return asText(volume.source ?? volume.src);
  const text = String(volume);
  return text.includes(":") ? (text.split(":")[0] ?? "") : "";
}

/** The path of the machine that stands behind the name of a volume. */
function deviceOf(name: string, { volumes }: Project): string | undefined {
  const volume = Object.hasOwn(volumes, name) ? volumes[name] : undefined;
  const options = isObject(volume) && isObject(volume.driver_opts) ? volume.driver_opts : {};
  return typeof options.device === "string" ? options.device : undefined;
}
