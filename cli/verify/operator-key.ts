import type { RawConfig } from "../../config/parse.ts";
import type { Credentials } from "../../sdks/b2/client/client.ts";
import { OperatorStack } from "../stack.ts";

/**
 * The operator's own key for B2, from the stack's settings or the environment, as Pulumi finds it.
 * Parts that are nowhere are empty: the first call says so.
 */
export function operatorKey(raw: RawConfig): Credentials {
  const find = (key: string, variable: string): string =>
    OperatorStack.setting(raw, key) ?? process.env[variable] ?? "";
  return {
    applicationKeyId: find("b2:applicationKeyId", "B2_APPLICATION_KEY_ID"),
    applicationKey: find("b2:applicationKey", "B2_APPLICATION_KEY"),
    endpoint: find("b2:endpoint", "B2_ENDPOINT"),
  };
}

/** The operator's own API token for Cloudflare, from where Pulumi finds it. */
export function cloudflareToken(raw: RawConfig): string | undefined {
  return OperatorStack.setting(raw, "cloudflare:apiToken") ?? process.env.CLOUDFLARE_API_TOKEN;
}
