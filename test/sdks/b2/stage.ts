import { deleteBucket, findBucket } from "../../../sdks/b2/client/buckets.ts";
import { deleteKey, listKeys } from "../../../sdks/b2/client/keys.ts";
import type { Bucket } from "../../../sdks/b2/client/types.ts";
import { startProject, type Project, type StateResource } from "./engine.ts";
import { startWorld, type World } from "./world.ts";

/** A project of its own, and the emulator that it deploys to. */
export interface Stage {
  world: World;
  project: Project;
  keyNames(): Promise<string[]>;
  bucketNamed(bucketName: string): Promise<Bucket>;
  /** The first resource of a type in the state. */
  stateOf(type: ":Bucket" | ":ApplicationKey"): Promise<StateResource>;
  /** Empties both for the next test. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export async function startStage(): Promise<Stage> {
  const world = await startWorld();
  const project = await startProject(world.emulator);
  return {
    world,
    project,
    async keyNames() {
      return (await listKeys(world.client())).map(({ keyName }) => keyName).sort();
    },
    async bucketNamed(bucketName) {
      const bucket = await findBucket(world.client(), { bucketName });
      if (!bucket) throw new Error(`there is no bucket ${bucketName}`);
      return bucket;
    },
    async stateOf(type) {
      const found = (await project.resources()).find((resource) => resource.type.endsWith(type));
      if (!found) throw new Error(`the state has no ${type}`);
      return found;
    },
    async reset() {
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
    },
    async stop() {
      await project.remove();
      await world.stop();
    },
  };
}

/** Arguments of Pulumi. */
export const up = ["up", "--yes", "--skip-preview"];
export const refresh = ["refresh", "--yes", "--skip-preview"];
/** For a test of several runs, on a machine that may be busy. */
export const timeout = 240_000;

/** How the program of a test differs from the usual one. */
export interface Wish {
  bucketName?: string;
  days?: number;
  capabilities?: string[];
  extra?: string;
}

/** A program with a bucket. */
export const bucketProgram = ({
  bucketName = "lifecycle-bucket",
  days = 30,
  extra = "",
}: Wish = {}) => `
  const bucket = new b2.Bucket("bucket", {
    bucketName: "${bucketName}",
    bucketType: "allPrivate",
    lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: ${days} }],
    defaultServerSideEncryption: { algorithm: "AES256", mode: "SSE-B2" },
    ${extra}
  });`;
/** A program with a bucket and a key for it. */
export const program = (wish: Wish = {}) => `${bucketProgram(wish)}
  const key = new b2.ApplicationKey("key", {
    keyName: "lifecycle-key",
    capabilities: ${JSON.stringify(wish.capabilities ?? ["writeFiles", "listFiles"])},
    bucketIds: [bucket.bucketId],
    namePrefix: "host/",
  });
  export const secret = key.applicationKey;
  export const keyId = key.applicationKeyId;`;
