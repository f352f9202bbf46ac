import * as b2 from "@pulumi/b2";
import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it } from "vitest";

function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => void output.apply((value) => resolve(value)));
}

describe("the SDK", () => {
  const made: pulumi.runtime.MockResourceArgs[] = [];

  beforeAll(async () => {
    await pulumi.runtime.setMocks({
      newResource(args) {
        made.push(args);
        const inputs = args.inputs as Record<string, unknown>;
        return { id: `${args.name}-id`, state: { ...inputs, applicationKey: "K-secret" } };
      },
      call: (args) => ({ ...(args.inputs as object), accountId: "account" }),
    });
  });

  it("registers a bucket under the bridged provider's token", async () => {
    const bucket = new b2.Bucket("b", { bucketName: "some-bucket", bucketType: "allPrivate" });
    expect(await valueOf(bucket.bucketName)).toBe("some-bucket");
    expect(made.map(({ type }) => type)).toContain("b2:index/bucket:Bucket");
  });

  it("shares @pulumi/pulumi with the program", async () => {
    const key = new b2.ApplicationKey("k", { keyName: "k", capabilities: ["listFiles"] });
    expect(await valueOf(key.applicationKey)).toBe("K-secret");
    expect(key).toBeInstanceOf(pulumi.CustomResource);
  });

  it("calls functions through the program's own runtime", async () => {
    const info = await b2.getAccountInfo();
    expect(info.accountId).toBe("account");
  });
});
