import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { updateBucket } from "../../../sdks/b2/client/buckets.ts";
import { listKeys } from "../../../sdks/b2/client/keys.ts";
import type { Project } from "./engine.ts";
import { bucketProgram, program, refresh, startStage, timeout, up, type Stage } from "./stage.ts";
import type { World } from "./world.ts";

let stage: Stage;
let world: World;
let project: Project;

beforeAll(async () => {
  stage = await startStage();
  ({ world, project } = stage);
});
afterAll(() => stage.stop());
afterEach(() => stage.reset());

describe("a failure in the middle", { timeout }, () => {
  it("leaves no orphan when the answer of a new key is lost and the user runs up again", async () => {
    await project.program(program());
    // From the key's creation on, the service acts and its answers are lost.
    world.emulator.faults.add({ operation: "create_key", kind: "reset", when: "after" });
    const first = await project.run(up);
    expect(first.failed).toBe(false);
    expect(await stage.keyNames()).toEqual(["lifecycle-key"]);
    await project.run(["preview", "--expect-no-changes"]);
  });

  it("goes on when a new bucket and then a new key could not even be looked for", async () => {
    await project.program(program());
    // The service acts but cannot say so, and does not answer the question whether it did.
    const lose = (create: string, list: string) => {
      const fault = { kind: "service-unavailable", retryAfterSeconds: 0, count: null } as const;
      world.emulator.faults.add(
        { ...fault, operation: create, when: "after" },
        // The first look comes before the creation.
        { ...fault, operation: list, skip: 1 },
      );
    };
    lose("create_bucket", "list_buckets");
    const first = await project.run(up, { mayFail: true });
    expect(first.output).toContain("not known whether it was carried out");
    expect((await stage.stateOf(":Bucket")).id).toBe("unresolved:lifecycle-bucket");
    world.emulator.faults.clear();

    lose("create_key", "list_keys");
    const second = await project.run(up, { mayFail: true });
    expect(second.output).toContain("not known whether it was carried out");
    expect((await stage.stateOf(":Bucket")).id).toBe(
      (await stage.bucketNamed("lifecycle-bucket")).bucketId,
    );
    world.emulator.faults.clear();
    expect(await stage.keyNames()).toEqual(["lifecycle-key"]);

    await project.run(up);
    const [key] = await listKeys(world.client());
    expect(await stage.keyNames()).toEqual(["lifecycle-key"]);
    expect((await stage.stateOf(":ApplicationKey")).id).toBe(key?.applicationKeyId);
    await project.run(["preview", "--expect-no-changes"]);
  });

  it("goes on from a bucket whose retention could not be set", async () => {
    await project.program(
      bucketProgram({
        extra: `fileLockConfigurations: [{ isFileLockEnabled: true, defaultRetention: {
          mode: "governance", period: { duration: 3, unit: "days" } } }],`,
      }),
    );
    world.emulator.faults.add({
      operation: "update_bucket",
      kind: "too-many-requests",
      retryAfterSeconds: 0,
      count: 6,
    });
    const first = await project.run(up, { mayFail: true });
    expect(first.failed).toBe(true);
    const { id } = await stage.stateOf(":Bucket");
    await project.run(up);
    expect((await stage.stateOf(":Bucket")).id).toBe(id);
    expect(
      (await stage.bucketNamed("lifecycle-bucket")).fileLockConfiguration?.value?.defaultRetention,
    ).toMatchObject({ mode: "governance" });
  });

  it("does not overwrite a change that someone else made meanwhile", async () => {
    await project.program(bucketProgram());
    await project.run(up);
    const { bucketId, revision } = await stage.bucketNamed("lifecycle-bucket");
    await updateBucket(world.client(), bucketId, revision, { bucketInfo: { by: "someone" } });
    await project.program(bucketProgram({ days: 3 }));
    const { failed, output } = await project.run(up, { mayFail: true });
    expect(failed).toBe(true);
    expect(output).toContain("nothing was overwritten");
    await project.run(refresh);
    await project.run(up);
    expect(await stage.bucketNamed("lifecycle-bucket")).toMatchObject({ bucketInfo: {} });
  });
});

describe("what is wrong", { timeout }, () => {
  it("is told with its property, all at once, before any call", async () => {
    await project.program(`
      new b2.Bucket("bad", {
        bucketName: "b2-no",
        bucketType: "private",
        lifecycleRules: [
          { fileNamePrefix: "a/", daysFromHidingToDeleting: 1 },
          { fileNamePrefix: "a/b/", daysFromHidingToDeleting: 1 },
        ],
      });`);
    const calls = world.emulator.stats();
    const { failed, output } = await project.run(["preview"], { mayFail: true });
    expect(failed).toBe(true);
    for (const property of ["bucketName", "bucketType", "lifecycleRules[1].fileNamePrefix"]) {
      expect(output).toContain(property);
    }
    expect(world.emulator.stats()).toEqual(calls);
  });

  it("is one clear line when the credentials are", async () => {
    await project.program(bucketProgram());
    const env = { B2_APPLICATION_KEY: "K005thisIsNotTheRightSecret0000" };
    const { failed, output } = await project.run(up, { mayFail: true, env });
    expect(failed).toBe(true);
    expect(output).toContain("refused the B2 credentials");
    expect(output).not.toContain(env.B2_APPLICATION_KEY);
    // Told once while it runs, and once in the summary.
    const summary = output.slice(output.indexOf("Diagnostics:"));
    expect(summary.match(/refused the B2 credentials/g)).toHaveLength(1);
    expect(summary).not.toContain(" at ");
  });

  it("names the files that keep a bucket from being deleted", async () => {
    await project.program(bucketProgram());
    await project.run(up);
    const { bucketId } = await stage.bucketNamed("lifecycle-bucket");
    const fileIds = await upload(bucketId, ["a", "b"]);
    const { failed, output } = await project.run(["destroy", "--yes", "--skip-preview"], {
      mayFail: true,
    });
    expect(failed).toBe(true);
    expect(output).toContain("2 file versions");
    expect(output).toContain("b2 rm");
    const client = world.client();
    for (const [fileName, fileId] of fileIds) {
      await client.call("b2_delete_file_version", { fileName, fileId }, { needs: [] });
    }
  });
});

async function upload(bucketId: string, names: string[]): Promise<[string, string][]> {
  const { uploadUrl, authorizationToken } = await world
    .client()
    .call<{ uploadUrl: string; authorizationToken: string }>(
      "b2_get_upload_url",
      { bucketId },
      { needs: ["writeFiles"] },
    );
  const made: [string, string][] = [];
  for (const name of names) {
    const answer = await fetch(uploadUrl, {
      method: "POST",
      headers: {
        authorization: authorizationToken,
        "x-bz-file-name": name,
        "content-type": "text/plain",
        "x-bz-content-sha1": "do_not_verify",
      },
      body: "hello",
    });
    expect(answer.status).toBe(200);
    made.push([name, ((await answer.json()) as { fileId: string }).fileId]);
  }
  return made;
}
