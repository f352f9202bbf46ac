import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeBundle } from "./bundle.ts";
import { evaluate, valueOf } from "./evaluate.ts";

const root = mkdtempSync(join(tmpdir(), "offsite-refused-"));

beforeAll(() => {
  writeBundle(join(root, "bundle"));
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("evaluation ends", () => {
  const refusal = async (mistake: string, directory = join(root, "bundle")) => {
    const file = join(import.meta.dirname, "refused.nix");
    return await valueOf(file, { mistake, bundle: directory }).then(
      () => "",
      (error: unknown) => (error as Error).message,
    );
  };

  it("with nothing but what is wrong", async () => {
    expect(await refusal("as it should be")).toBe("");
  });

  it.each([
    [
      "a host that the manifest does not have",
      /no such host: "minos"\. The manifest has "drhorrible"/,
    ],
    ["an option that does not exist", /option `services\.offsite\.hub\.mirrors' does not exist/],
    [
      "a value of the wrong type",
      /`services\.offsite\.hub\.overdueHours' is not of type `positive/,
    ],
    ["no bundle", /services\.offsite\.bundle: not set\. Give the directory/],
  ])("at %s", async (mistake, message) => {
    expect(await refusal(mistake)).toMatch(message);
  });

  it("or the system is refused, at a bundle that is sealed for another tool", async () => {
    const file = join(import.meta.dirname, "refused.nix");
    const args = { mistake: "a bundle for another tool", bundle: join(root, "bundle") };
    const { systems } = await evaluate(file, args);
    expect(systems.machine?.refused).toEqual([
      expect.stringMatching(
        /"sops", which opens files that end in \.sops, .* hosts\/ursula\.env\.age/,
      ),
    ]);
  });

  it("at a manifest of another version, or none", async () => {
    const version2 = writeBundle(join(root, "version-2"), { version: 2 });
    expect(await refusal("as it should be", version2)).toMatch(
      /has version 2, these modules read version 1/,
    );
    expect(await refusal("as it should be", join(root, "nowhere"))).toMatch(
      /there is no .*nowhere\/offsite\.json\. Let `pulumi up` write the bundle/,
    );
  });
});
