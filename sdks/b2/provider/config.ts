import type { Credentials } from "../client/client.ts";
import { Checker, quote, type Problem } from "./check.ts";
import { Unknown, type Properties } from "./wire.ts";

const variables = {
  applicationKeyId: "B2_APPLICATION_KEY_ID",
  applicationKey: "B2_APPLICATION_KEY",
  endpoint: "B2_ENDPOINT",
} as const;

type Environment = Record<string, string | undefined>;

/**
 * All that is wrong with the provider's config. Credentials that are missing altogether pass here:
 * a preview that changes nothing needs none; the first call says what is missing.
 */
export function checkConfig(news: Properties, environment: Environment): Problem[] {
  const c = new Checker();
  for (const name of Object.keys(variables)) c.string(name, news[name]);
  const value = (name: keyof typeof variables) => news[name] ?? environment[variables[name]] ?? "";
  for (const [name, other] of [
    ["applicationKeyId", "applicationKey"],
    ["applicationKey", "applicationKeyId"],
  ] as const) {
    if (value(name) === "" && value(other) !== "") {
      c.add(name, `is missing, while ${other} is given: set b2:${name} or ${variables[name]}`);
    }
  }
  const endpoint = value("endpoint");
  if (typeof endpoint === "string" && !isEndpoint(endpoint)) {
    c.add("endpoint", `got ${quote(endpoint)}, must be "production" or a URL such as https://…`);
  }
  return c.problems;
}

function isEndpoint(endpoint: string): boolean {
  if (endpoint === "" || endpoint === "production") return true;
  return URL.canParse(endpoint) && ["http:", "https:"].includes(new URL(endpoint).protocol);
}

/** The credentials of a config that passed {@link checkConfig}. */
export function toCredentials(config: Properties, environment: Environment): Credentials {
  const text = (name: keyof typeof variables) => {
    const value = config[name] ?? environment[variables[name]] ?? "";
    return value instanceof Unknown || typeof value !== "string" ? "" : value;
  };
  return {
    applicationKeyId: text("applicationKeyId"),
    applicationKey: text("applicationKey"),
    endpoint: text("endpoint"),
  };
}

/** The names of the settings that changed. None of them asks for a new resource. */
export function changedConfig(olds: Properties, news: Properties): string[] {
  return Object.keys(variables).filter((name) => olds[name] !== news[name]);
}
