/** The round trips of the b2 provider, counted at the emulator. */
import { startB2Emulator } from "../../../sandbox/b2/index.ts";
import { refresh, up } from "../../sdks/b2/stage.ts";
import { startProject } from "../../sdks/b2/engine.ts";
import { binDirectory, ensurePrograms } from "../../../tools/index.ts";
import type { Bench, Benchmark, Figure } from "../benchmark.ts";

const KEYS = 5;

const PROGRAM = `const bucket = new b2.Bucket("bucket", {
  bucketName: "bench-bucket",
  bucketType: "allPrivate",
  lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: 30 }],
});
for (let each = 0; each < ${KEYS}; each += 1) {
  new b2.ApplicationKey("key-" + each, {
    keyName: "bench-key-" + each,
    capabilities: ["readFiles", "listFiles"],
    bucketIds: [bucket.bucketId],
  });
}`;

interface Step {
  readonly what: string;
  readonly args: readonly string[];
  /** How many calls the API asks for, and which. */
  readonly least: number;
  readonly against: string;
}

const STEPS: readonly Step[] = [
  {
    what: "preview before there is anything",
    args: ["preview"],
    least: 0,
    against: "none: everything is told from the settings",
  },
  {
    what: "up",
    args: up,
    // Names are unique among all accounts, and the API has no key for a repeated request: only who
    // looked before can tell a bucket of his own, whose answer was lost, from one that was there.
    least: 3 + KEYS,
    against: "1 to authorise, 1 to see that the bucket is not there, 1 to make it, 1 for each key",
  },
  {
    what: "preview of what is there",
    args: ["preview", "--expect-no-changes"],
    least: 0,
    against: "none: everything is told from the state",
  },
  {
    what: "up with nothing to do",
    args: [...up, "--expect-no-changes"],
    least: 0,
    against: "none: everything is told from the state",
  },
  {
    what: "refresh",
    args: [...refresh, "--expect-no-changes"],
    least: 3,
    against: "1 to authorise, 1 list of buckets, 1 list of keys",
  },
];

export const provider: Benchmark = {
  name: "provider",
  summary:
    "the b2 provider's calls for a bucket and five keys, against those that the API asks for",
  run,
};

async function run(bench: Bench): Promise<readonly Figure[]> {
  const programs = await ensurePrograms(["pulumi", "pulumi-language-nodejs"]);
  process.env.PATH = `${await binDirectory(programs)}:${process.env.PATH ?? ""}`;
  const emulator = await startB2Emulator({ dataDirectory: bench.folder("b2") });
  bench.defer(() => emulator.stop());
  const project = await startProject(emulator);
  bench.defer(() => project.remove());
  await project.program(PROGRAM);
  const figures: Figure[] = [];
  for (const { what, args, least, against } of STEPS) {
    bench.signal.throwIfAborted();
    emulator.resetStats();
    await project.run([...args, "--stack", "test"]);
    const { operations } = emulator.stats();
    const calls = Object.values(operations).reduce((sum, each) => sum + each, 0);
    bench.log(`${what}: ${calls} calls`);
    figures.push({
      ...{ what: `provider, 1 bucket and ${KEYS} keys: ${what}`, against },
      ...{ values: [calls], unit: "requests", reach: { most: least }, behind: operations },
    });
  }
  return figures;
}
