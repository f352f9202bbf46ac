/** A compose file, as far as the rules read it. */
import { parseDocument } from "yaml";
import { asText, isObject } from "../values.ts";

/** One service of a compose file. */
export interface Service {
  readonly name: string;
  /** As the file says it. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly image: string;
  /** What the container is started with, the program first; empty where the image says it. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** A compose file. */
export interface Project {
  readonly services: readonly Service[];
  /** The top-level volumes by name. */
  readonly volumes: Readonly<Record<string, unknown>>;
  /** The top-level networks by name. */
  readonly networks: Readonly<Record<string, unknown>>;
}

/**
 * Reads a compose file.
 *
 * @returns the file, or why it cannot be judged.
 */
export function readProject(text: string): Project | string {
  const document = parseDocument(text, { merge: true, uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) return `is no YAML: ${problem.message.split("\n")[0] ?? ""}`;
  const content: unknown = document.toJS({ maxAliasCount: 100 });
  if (!isObject(content) || !isObject(content.services)) return "has no services";
  // What another file adds cannot be seen here.
  if (content.include !== undefined) return "includes other files, which cannot be judged";
  const services: Service[] = [];
  for (const [name, settings] of Object.entries(content.services)) {
    if (!isObject(settings)) return `has nothing for the service "${name}"`;
    if (settings.extends !== undefined) {
      return `has a service, "${name}", that extends another, which cannot be judged`;
    }
    services.push({
      name,
      settings,
      image: typeof settings.image === "string" ? settings.image : "",
      argv: [...words(settings.entrypoint), ...words(settings.command)],
      environment: environmentOf(settings.environment),
    });
  }
  const { volumes, networks } = content;
  return {
    services,
    volumes: isObject(volumes) ? volumes : {},
    networks: isObject(networks) ? networks : {},
  };
}

/** A list of strings; a string is taken apart at its spaces, as compose does where none is quoted. */
export function words(value: unknown): string[] {
  if (typeof value === "string") {
    const parts = value.match(/"[^"]*"|'[^']*'|[^\s"']+/g) ?? [];
    return parts.map((part) => part.replace(/^(["'])(.*)\1$/, "$2"));
  }
  return Array.isArray(value) ? value.map(String) : [];
}

function environmentOf(value: unknown): Readonly<Record<string, string>> {
  if (Array.isArray(value)) {
    return Object.fromEntries(
      value.map(String).map((entry) => {
        const at = entry.indexOf("=");
        return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
      }),
    );
  }
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, asText(text)]));
}
