/** The JSON schema with which editors complete and check `Pulumi.<stack>.yaml`. */
import { z } from "zod";
import { NAMESPACE } from "./parse.ts";
import { SECRET_KEYS, stackConfigSchema } from "./stack.ts";

const ENCRYPTED = {
  type: "object",
  properties: { secure: { type: "string" } },
  required: ["secure"],
  additionalProperties: false,
} as const;

/**
 * Makes the schema of a stack's file.
 *
 * @returns a JSON schema (draft 2020-12) of the whole file: the settings of this program in full,
 * those of other namespaces left open.
 */
export function stackConfigJsonSchema(): object {
  const { properties = {}, required = [] } = z.toJSONSchema(stackConfigSchema, { io: "input" });
  const encrypted = Object.fromEntries(
    SECRET_KEYS.map((key) => [
      key,
      { ...ENCRYPTED, description: `Set it with: pulumi config set --secret ${NAMESPACE}:${key}` },
    ]),
  );
  const namespaced = Object.entries({ ...properties, ...encrypted }).map(
    ([key, value]) => [`${NAMESPACE}:${key}`, value] as const,
  );
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A fort-offsite stack",
    type: "object",
    properties: {
      config: {
        type: "object",
        properties: Object.fromEntries(namespaced),
        required: required.map((key) => `${NAMESPACE}:${key}`),
        patternProperties: { [`^(?!${NAMESPACE}:)`]: true },
        additionalProperties: false,
      },
    },
  };
}
