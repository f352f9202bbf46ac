import { afterEach, describe, expect, it, vi } from "vitest";
import { checkCloudflare } from "../../../cli/doctor/services.ts";
import { parseStackConfig } from "../../../config/parse.ts";
import { raw, validConfig } from "../../config/valid.ts";

const R2 = { type: "r2", accountId: "0123456789abcdef".repeat(2), bucket: "family-fort" };

function check(config: Record<string, unknown>) {
  return checkCloudflare(parseStackConfig(raw(config), "prod"), raw(config));
}

describe("the token for Cloudflare", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it("is missed where a target is at R2, and nowhere else", () => {
    vi.stubEnv("CLOUDFLARE_API_TOKEN", "");
    expect(check(validConfig())).toEqual([]);
    const config = { ...validConfig(), targets: { cloud: R2 } };
    expect(check(config)).toEqual([expect.objectContaining({ state: "missing" })]);
    vi.stubEnv("CLOUDFLARE_API_TOKEN", "a-secret-token");
    const [found] = check(config);
    expect(found?.state).toBe("ok");
    expect(JSON.stringify(found)).not.toContain("a-secret-token");
  });
});
