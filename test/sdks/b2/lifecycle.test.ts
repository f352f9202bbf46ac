import { writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { deleteBucket, findBucket, updateBucket } from "../../../sdks/b2/client/buckets.ts";
import { deleteKey, listKeys } from "../../../sdks/b2/client/keys.ts";
import { startProject, type Project } from "./engine.ts";
import { startWorld, type World } from "./world.ts";

let world: World;
let project: Project;

beforeAll(async () => {
  world = await startWorld();
  project = await startProject(world.emulator);
});
afterAll(async () => {
  await project.remove();
  await world.stop();
});
afterEach(async () => {
  world.emulator.faults.clear();
  await project.reset();
  const client = world.client();
  for (const { applicationKeyId } of await listKeys(client)) {
    await deleteKey(client, applicationKeyId);
  }
  for (const bucketName of ["lifecycle-bucket", "another-bucket"]) {
    const bucket = await findBucket(client, { bucketName });
    if (bucket) await deleteBucket(client, bucket.bucketId);
  }
});

const timeout = 240_000;
const up = ["up", "--yes", "--skip-preview"];
const refresh = ["refresh", "--yes", "--skip-preview"];

async function keyNames(): Promise<string[]> {
  return (await listKeys(world.client())).map(({ keyName }) => keyName).sort();
}

async function bucketNamed(bucketName: string) {
  const bucket = await findBucket(world.client(), { bucketName });
  if (!bucket) throw new Error(`there is no bucket ${bucketName}`);
  return bucket;
}

async function stateOf(type: string) {
  const found = (await project.resources()).find((resource) => resource.type.endsWith(type));
  if (!found) throw new Error(`the state has no ${type}`);
  return found;
}

interface Wish {
  bucketName?: string;
  days?: number;
  capabilities?: string[];
  extra?: string;
}

const bucketProgram = ({ bucketName = "lifecycle-bucket", days = 30, extra = "" }: Wish = {}) => `
  const bucket = new b2.Bucket("bucket", {
    bucketName: "${bucketName}",
    bucketType: "allPrivate",
    lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: ${days} }],
    defaultServerSideEncryption: { algorithm: "AES256", mode: "SSE-B2" },
    ${extra}
  });`;
const program = (wish: Wish = {}) => `${bucketProgram(wish)}
  const key = new b2.ApplicationKey("key", {
    keyName: "lifecycle-key",
    capabilities: ${JSON.stringify(wish.capabilities ?? ["writeFiles", "listFiles"])},
    bucketIds: [bucket.bucketId],
    namePrefix: "host/",
  });
  export const secret = key.applicationKey;
  export const keyId = key.applicationKeyId;`;

describe("a bucket with a key", { timeout }, () => {
  it("is created, stays as it is, is updated, replaced and destroyed", async () => {
    await project.program(program());
    const preview = await project.run(["preview"]);
    expect(preview.output).toContain("+ 3 to create");
    expect(await findBucket(world.client(), { bucketName: "lifecycle-bucket" })).toBeUndefined();

    const created = await project.run(up);
    const { id, outputs } = await stateOf(":ApplicationKey");
    const { plaintext } = outputs.applicationKey as { plaintext: string };
    const secret = plaintext.replaceAll('"', "");
    expect(secret).toMatch(/^K005/);
    expect(created.output).not.toContain(secret);
    expect((await project.run(["stack", "export"])).output).not.toContain(secret);
    expect(await keyNames()).toEqual(["lifecycle-key"]);

    const calls = world.emulator.stats();
    await project.run([...up, "--expect-no-changes"]);
    expect(world.emulator.stats()).toEqual(calls);
    await project.run([...refresh, "--expect-no-changes"]);

    await project.program(program({ days: 7, capabilities: ["listFiles", "writeFiles"] }));
    const changed = await project.run(["preview", "--diff"]);
    expect(changed.output).toMatch(/daysFromHidingToDeleting: 30 => 7/);
    expect(changed.output).toContain("~ 1 to update");
    expect((await bucketNamed("lifecycle-bucket")).lifecycleRules?.[0]).toMatchObject({
      daysFromHidingToDeleting: 30,
    });
    await project.run(up);
    expect((await bucketNamed("lifecycle-bucket")).lifecycleRules?.[0]).toMatchObject({
      daysFromHidingToDeleting: 7,
    });
    expect((await stateOf(":ApplicationKey")).id).toBe(id);

    await project.program(program({ days: 7, capabilities: ["listFiles"] }));
    const replaced = await project.run(up);
    expect(replaced.output).toContain("+-1 replaced");
    expect((await stateOf(":ApplicationKey")).id).not.toBe(id);
    expect(await keyNames()).toEqual(["lifecycle-key"]);

    await project.program(program({ bucketName: "another-bucket", capabilities: ["listFiles"] }));
    await project.run(up);
    expect(await findBucket(world.client(), { bucketName: "lifecycle-bucket" })).toBeUndefined();
    expect((await stateOf(":Bucket")).outputs.bucketName).toBe("another-bucket");

    await project.run(["destroy", "--yes", "--skip-preview"]);
    expect(await findBucket(world.client(), { bucketName: "another-bucket" })).toBeUndefined();
    expect(await keyNames()).toEqual([]);
  });

  it("is replaced under its own name when object lock is switched on", async () => {
    await project.program(bucketProgram());
    await project.run(up);
    const { id } = await stateOf(":Bucket");
    await project.program(
      bucketProgram({
        extra: `fileLockConfigurations: [{ isFileLockEnabled: true, defaultRetention: {
          mode: "governance", period: { duration: 3, unit: "days" } } }],`,
      }),
    );
    await project.run(up);
    const bucket = await bucketNamed("lifecycle-bucket");
    expect(bucket.bucketId).not.toBe(id);
    expect(bucket.fileLockConfiguration?.value).toMatchObject({
      isFileLockEnabled: true,
      defaultRetention: { mode: "governance", period: { duration: 3, unit: "days" } },
    });
    await project.run([...refresh, "--expect-no-changes"]);
    await project.run(["preview", "--expect-no-changes"]);
  });
});

describe("a refresh", { timeout }, () => {
  it("sees drift of every setting, and an up brings the wish back", async () => {
    const rule = `corsRules: [{ corsRuleName: "from-web", allowedOrigins: ["https://a.example"],
      allowedOperations: ["s3_put", "s3_get"], maxAgeSeconds: 60 }], bucketInfo: { owner: "me" },`;
    await project.program(bucketProgram({ extra: rule }));
    await project.run(up);
    const before = await bucketNamed("lifecycle-bucket");
    await updateBucket(world.client(), before.bucketId, before.revision, {
      bucketType: "allPublic",
      bucketInfo: { owner: "them", note: "hello" },
      corsRules: [],
      lifecycleRules: [{ fileNamePrefix: "tmp/", daysFromUploadingToHiding: 1 }],
    });
    const seen = await project.run([...refresh, "--diff"]);
    for (const part of ["allPublic", "them", "note", "corsRules", "tmp/"]) {
      expect(seen.output).toContain(part);
    }
    const back = await project.run(up);
    expect(back.output).toContain("~ 1 updated");
    expect(await bucketNamed("lifecycle-bucket")).toMatchObject({
      bucketType: "allPrivate",
      bucketInfo: { owner: "me" },
      lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: 30 }],
      corsRules: [{ corsRuleName: "from-web" }],
    });
    await project.run(["preview", "--expect-no-changes"]);
  });

  it("notices what was deleted elsewhere, and an up makes it anew", async () => {
    await project.program(program());
    await project.run(up);
    const { id } = await stateOf(":ApplicationKey");
    await deleteKey(world.client(), id ?? "");
    const seen = await project.run(refresh);
    expect(seen.output).toContain("- 1 deleted");
    await project.run(up);
    expect(await keyNames()).toEqual(["lifecycle-key"]);
  });
});

describe("an import", { timeout }, () => {
  it("takes a bucket and a key over and writes the program for them", async () => {
    await project.program(program());
    await project.run(up);
    const bucketId = (await stateOf(":Bucket")).id ?? "";
    const keyId = (await stateOf(":ApplicationKey")).id ?? "";
    for (const { urn } of (await project.resources()).reverse()) {
      await project.run(["state", "delete", urn, "--yes", "--force"]);
    }
    await project.run(
      ["import", "b2:index/bucket:Bucket", "bucket", bucketId, "--yes"].concat([
        "--protect=false",
        "--generate-code=false",
      ]),
    );
    await project.run(
      ["import", "b2:index/applicationKey:ApplicationKey", "key", keyId].concat([
        "--yes",
        "--protect=false",
        "--generate-code=false",
      ]),
    );
    await project.run(["preview", "--expect-no-changes"]);
    expect((await stateOf(":Bucket")).id).toBe(bucketId);
  });

  it("says that there is nothing under a wrong id", async () => {
    const args = ["import", "b2:index/bucket:Bucket", "b", "4a48fe8875c6214145260818", "--yes"];
    const { failed, output } = await project.run(args, { mayFail: true });
    expect(failed).toBe(true);
    expect(output).toMatch(/does not exist/);
  });
});

describe("a state of the bridged provider", { timeout }, () => {
  it("is taken over without a change", async () => {
    await project.program(program());
    await project.run(up);
    const { output } = await project.run(["stack", "export"]);
    const state = JSON.parse(output) as {
      deployment: {
        resources: { type: string; inputs?: Values; outputs?: Values }[];
      };
    };
    type Values = Record<string, unknown>;
    for (const resource of state.deployment.resources) {
      if (resource.type === "pulumi:providers:b2") {
        // As pulumi package add terraform-provider Backblaze/b2 has it.
        resource.inputs = {
          ...resource.inputs,
          __internal: {
            name: "terraform-provider",
            version: "1.0.1",
            parameterization: Buffer.from('{"remote":{}}').toString("base64"),
          },
        };
      } else if (resource.type.startsWith("b2:")) {
        resource.inputs = { __defaults: [], ...resource.inputs };
        resource.outputs = { ...resource.outputs, __meta: '{"schema_version":"0"}' };
      }
    }
    const file = path.join(project.folder, "bridged.json");
    await writeFile(file, JSON.stringify(state));
    await project.run(["stack", "import", "--file", file]);
    await project.run(["preview", "--expect-no-changes"]);
    await project.run([...up, "--expect-no-changes"]);
  });
});

describe("a failure in the middle", { timeout }, () => {
  it("leaves no orphan when the answer of a new key is lost and the user runs up again", async () => {
    await project.program(program());
    // From the key's creation on, the service acts and its answers are lost.
    world.emulator.faults.add({ operation: "create_key", kind: "reset", when: "after" });
    const first = await project.run(up);
    expect(first.failed).toBe(false);
    expect(await keyNames()).toEqual(["lifecycle-key"]);
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
    expect((await stateOf(":Bucket")).id).toBe("unresolved:lifecycle-bucket");
    world.emulator.faults.clear();

    lose("create_key", "list_keys");
    const second = await project.run(up, { mayFail: true });
    expect(second.output).toContain("not known whether it was carried out");
    expect((await stateOf(":Bucket")).id).toBe((await bucketNamed("lifecycle-bucket")).bucketId);
    world.emulator.faults.clear();
    expect(await keyNames()).toEqual(["lifecycle-key"]);

    await project.run(up);
    const [key] = await listKeys(world.client());
    expect(await keyNames()).toEqual(["lifecycle-key"]);
    expect((await stateOf(":ApplicationKey")).id).toBe(key?.applicationKeyId);
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
    const { id } = await stateOf(":Bucket");
    await project.run(up);
    expect((await stateOf(":Bucket")).id).toBe(id);
    expect(
      (await bucketNamed("lifecycle-bucket")).fileLockConfiguration?.value?.defaultRetention,
    ).toMatchObject({ mode: "governance" });
  });

  it("does not overwrite a change that someone else made meanwhile", async () => {
    await project.program(bucketProgram());
    await project.run(up);
    const { bucketId, revision } = await bucketNamed("lifecycle-bucket");
    await updateBucket(world.client(), bucketId, revision, { bucketInfo: { by: "someone" } });
    await project.program(bucketProgram({ days: 3 }));
    const { failed, output } = await project.run(up, { mayFail: true });
    expect(failed).toBe(true);
    expect(output).toContain("nothing was overwritten");
    await project.run(refresh);
    await project.run(up);
    expect(await bucketNamed("lifecycle-bucket")).toMatchObject({ bucketInfo: {} });
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
    const { bucketId } = await bucketNamed("lifecycle-bucket");
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

describe("functions", { timeout }, () => {
  it("look buckets, keys and the account up", async () => {
    await project.program(program());
    await project.run(up);
    await project.program(`${program()}
      export const bucketFound = b2.getBucketOutput({ bucketName: bucket.bucketName });
      export const keyFound = b2.getApplicationKeyOutput({ keyName: key.keyName });
      export const account = b2.getAccountInfoOutput();`);
    await project.run(up);
    const { output } = await project.run(["stack", "output", "--json"]);
    const outputs = JSON.parse(output) as Record<string, Record<string, unknown>>;
    const { bucketId } = await bucketNamed("lifecycle-bucket");
    expect(outputs.bucketFound).toMatchObject({
      bucketId,
      bucketType: "allPrivate",
      defaultServerSideEncryptions: [{ algorithm: "AES256", mode: "SSE-B2" }],
    });
    expect(outputs.keyFound).toMatchObject({ bucketIds: [bucketId], namePrefix: "host/" });
    expect(outputs.account).toBe("[secret]");
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
