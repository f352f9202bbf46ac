import { describe, expect, it } from "vitest";
import { stackConfigJsonSchema } from "../../config/json-schema.ts";

interface Schema {
  properties: {
    config: { properties: Record<string, Record<string, unknown>>; required: string[] };
  };
}

describe("the stack's JSON schema", () => {
  const { config } = (stackConfigJsonSchema() as Schema).properties;

  it("describes every setting under its namespace", () => {
    expect(Object.keys(config.properties).sort()).toEqual([
      "fort-offsite:credentialSeed",
      "fort-offsite:guests",
      "fort-offsite:hosts",
      "fort-offsite:hub",
      "fort-offsite:lookForDrift",
      "fort-offsite:prices",
      "fort-offsite:seal",
      "fort-offsite:sshPrivateKey",
      "fort-offsite:targetSecrets",
      "fort-offsite:targets",
    ]);
    expect(config.required).toContain("fort-offsite:targets");
  });

  it("asks for secrets in their encrypted form only", () => {
    expect(config.properties["fort-offsite:credentialSeed"]).toMatchObject({
      type: "object",
      required: ["secure"],
    });
  });

  it("does not ask for what has a default", () => {
    const hosts = config.properties["fort-offsite:hosts"] as {
      additionalProperties: { required: string[] };
    };
    expect(hosts.additionalProperties.required).toEqual(["key", "sizeGiB"]);
  });
});
