import { describe, expect, it } from "vitest";
import { nameOf, resourcesOf } from "../../policy/preview.ts";

const URN = "urn:pulumi:prod::fort-offsite::b2:index/bucket:Bucket::cloud-bucket";
const step = (op: string, bucketType?: string, urn = URN) => ({
  op,
  urn,
  ...(bucketType !== undefined && {
    newState: { urn, type: "b2:index/bucket:Bucket", inputs: { bucketType }, protect: true },
  }),
});

describe("the resources of a preview", () => {
  it("are those that there will be: none that goes, and of a replacement the new one", () => {
    const steps = [
      step("same", "a", `${URN}-kept`),
      step("delete", undefined, `${URN}-gone`),
      // Pulumi tells a deletion's old state alone; another version might tell both.
      step("delete-replaced", "old"),
      step("create-replacement", "new"),
      step("replace", "new"),
      step("delete-replaced", "old"),
    ];
    const resources = resourcesOf({ steps, changeSummary: { same: 1, replace: 1, delete: 1 } });
    expect(resources.map(({ name, inputs }) => [name, inputs.bucketType])).toEqual([
      ["cloud-bucket-kept", "a"],
      ["cloud-bucket", "new"],
    ]);
    expect(resources[0]).toMatchObject({ protect: true, retainOnDelete: false });
  });

  it("are refused where the preview leaves out what stays the same", () => {
    expect(() => resourcesOf({ steps: [step("same", "a")], changeSummary: { same: 3 } })).toThrow(
      /has 1 of 3 resources .* pulumi preview --json --show-sames/,
    );
  });

  it("are none of an empty stack, and refused of what is no preview", () => {
    expect(resourcesOf({})).toEqual([]);
    for (const text of [null, [], "x", { steps: [{ op: 1 }] }]) {
      expect(() => resourcesOf(text)).toThrow("is no output of `pulumi preview");
    }
  });

  it("have names with two colons in them", () => {
    expect(nameOf("urn:pulumi:s::p::a$b:c::hosts::q")).toBe("hosts::q");
  });
});
