/** Unit files as NixOS writes them. */
import type { Service, System } from "./evaluate.ts";

type Settings = Service["serviceConfig"];

/** The unit files of a system: by name, their text. */
export function unitFiles({ services, timers, sockets }: System): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [name, service] of Object.entries(services)) {
    const { description, after, wants, requires, onFailure, unitConfig } = service;
    const environment = Object.entries(service.environment).map(([key, value]) =>
      JSON.stringify(`${key}=${value}`),
    );
    files[`${name}.service`] =
      section("Unit", {
        Description: description === "" ? name : description,
        ...each({ After: after, Wants: wants, Requires: requires }),
        ...each({ OnFailure: onFailure }),
        ...unitConfig,
      }) + section("Service", { Environment: environment, ...service.serviceConfig });
  }
  for (const [name, { timerConfig }] of Object.entries(timers)) {
    files[`${name}.timer`] = section("Timer", timerConfig);
  }
  for (const [name, { listenStreams, socketConfig }] of Object.entries(sockets)) {
    files[`${name}.socket`] = section("Socket", { ListenStream: listenStreams, ...socketConfig });
  }
  return files;
}

function each(lists: Record<string, string[]>): Settings {
  return Object.fromEntries(
    Object.entries(lists).flatMap(([name, list]) =>
      list.length > 0 ? [[name, list.join(" ")]] : [],
    ),
  );
}

function section(name: string, settings: Settings): string {
  const lines = Object.entries(settings).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `${key}=${one}\n`),
  );
  return `[${name}]\n${lines.join("")}\n`;
}
