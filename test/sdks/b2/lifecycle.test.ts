import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findBucket, updateBucket } from "../../../sdks/b2/client/buckets.ts";
import { deleteKey } from "../../../sdks/b2/client/keys.ts";
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

describe("a bucket with a key", { timeout }, () => {
  it("is created, stays as it is, is updated, replaced and destroyed", async () => {
    await project.program(program());
    const preview = await project.run(["preview"]);
    expect(preview.output).toContain("+ 3 to create");
    expect(await findBucket(world.client(), { bucketName: "lifecycle-bucket" })).toBeUndefined();

    const created = await project.run(up);
    const { id, outputs } = await stage.stateOf(":ApplicationKey");
    const { plaintext } = outputs.applicationKey as { plaintext: string };
    const secret = plaintext.replaceAll('"', "");
    expect(secret).toMatch(/^K005/);
    expect(created.output).not.toContain(secret);
    expect((await project.run(["stack", "export"])).output).not.toContain(secret);
    expect(await stage.keyNames()).toEqual(["lifecycle-key"]);

    const calls = world.emulator.stats();
    await project.run([...up, "--expect-no-changes"]);
    expect(world.emulator.stats()).toEqual(calls);
    await project.run([...refresh, "--expect-no-changes"]);

    await project.program(program({ days: 7, capabilities: ["listFiles", "writeFiles"] }));
    const changed = await project.run(["preview", "--diff"]);
    expect(changed.output).toMatch(/daysFromHidingToDeleting: 30 => 7/);
    expect(changed.output).toContain("~ 1 to update");
    expect((await stage.bucketNamed("lifecycle-bucket")).lifecycleRules?.[0]).toMatchObject({
      daysFromHidingToDeleting: 30,
    });
    await project.run(up);
    expect((await stage.bucketNamed("lifecycle-bucket")).lifecycleRules?.[0]).toMatchObject({
      daysFromHidingToDeleting: 7,
    });
    expect((await stage.stateOf(":ApplicationKey")).id).toBe(id);

    await project.program(program({ days: 7, capabilities: ["listFiles"] }));
    const replaced = await project.run(up);
    expect(replaced.output).toContain("+-1 replaced");
    expect((await stage.stateOf(":ApplicationKey")).id).not.toBe(id);
    expect(await stage.keyNames()).toEqual(["lifecycle-key"]);

    await project.program(program({ bucketName: "another-bucket", capabilities: ["listFiles"] }));
    await project.run(up);
    expect(await findBucket(world.client(), { bucketName: "lifecycle-bucket" })).toBeUndefined();
    expect((await stage.stateOf(":Bucket")).outputs.bucketName).toBe("another-bucket");

    await project.run(["destroy", "--yes", "--skip-preview"]);
    expect(await findBucket(world.client(), { bucketName: "another-bucket" })).toBeUndefined();
    expect(await stage.keyNames()).toEqual([]);
  });

  it("is replaced under its own name when object lock is switched on", async () => {
    await project.program(bucketProgram());
    await project.run(up);
    const { id } = await stage.stateOf(":Bucket");
    await project.program(
      bucketProgram({
        extra: `fileLockConfigurations: [{ isFileLockEnabled: true, defaultRetention: {
          mode: "governance", period: { duration: 3, unit: "days" } } }],`,
      }),
    );
    await project.run(up);
    const bucket = await stage.bucketNamed("lifecycle-bucket");
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
    const before = await stage.bucketNamed("lifecycle-bucket");
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
    expect(await stage.bucketNamed("lifecycle-bucket")).toMatchObject({
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
    const { id } = await stage.stateOf(":ApplicationKey");
    await deleteKey(world.client(), id ?? "");
    const seen = await project.run(refresh);
    expect(seen.output).toContain("- 1 deleted");
    await project.run(up);
    expect(await stage.keyNames()).toEqual(["lifecycle-key"]);
  });
});

describe("an import", { timeout }, () => {
  it("takes a bucket and a key over and writes the program for them", async () => {
    await project.program(program());
    await project.run(up);
    const bucketId = (await stage.stateOf(":Bucket")).id ?? "";
    const keyId = (await stage.stateOf(":ApplicationKey")).id ?? "";
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
    expect((await stage.stateOf(":Bucket")).id).toBe(bucketId);
  });

  it("takes a key's secret from a private file, once the service has accepted it", async () => {
    await project.program(program());
    await project.run(up);
    const { urn, id = "", outputs } = await stage.stateOf(":ApplicationKey");
    const secret = String(JSON.parse((outputs.applicationKey as { plaintext: string }).plaintext));
    await project.run(["state", "delete", urn, "--yes"]);
    const take = async (content: string, mode: number) => {
      const file = path.join(project.folder, "secret");
      await rm(file, { force: true });
      await writeFile(file, content, { mode });
      const what = ["b2:index/applicationKey:ApplicationKey", "key", `${id}@${file}`];
      const how = ["--yes", "--protect=false", "--generate-code=false"];
      const run = await project.run(["import", ...what, ...how], { mayFail: true });
      await rm(file);
      return run;
    };
    expect((await take(secret, 0o644)).output).toMatch(/others can read it/);
    expect((await take(`${secret}x`, 0o600)).output).toMatch(/refused the secret/);
    expect(await take(secret, 0o600)).toMatchObject({ failed: false });
    await project.run(["preview", "--expect-no-changes"]);
    const after = await stage.stateOf(":ApplicationKey");
    expect(after).toMatchObject({ id, outputs: { applicationKey: outputs.applicationKey } });
    const files = await readdir(path.join(project.folder, "state"), {
      recursive: true,
      withFileTypes: true,
    });
    for (const file of files.filter((entry) => entry.isFile())) {
      const text = await readFile(path.join(file.parentPath, file.name), "utf8");
      expect(text, file.name).not.toContain(secret);
    }
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
    const { bucketId } = await stage.bucketNamed("lifecycle-bucket");
    expect(outputs.bucketFound).toMatchObject({
      bucketId,
      bucketType: "allPrivate",
      defaultServerSideEncryptions: [{ algorithm: "AES256", mode: "SSE-B2" }],
    });
    expect(outputs.keyFound).toMatchObject({ bucketIds: [bucketId], namePrefix: "host/" });
    expect(outputs.account).toBe("[secret]");
  });
});
