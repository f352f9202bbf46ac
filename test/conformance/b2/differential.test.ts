import { join } from "node:path";

import { execa } from "execa";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { pythonPrograms } from "./python.ts";
import { ConformanceWorld } from "./world.ts";

/** Raise it to look further; the sequences of a seed are always the same. */
const seed = Number(process.env.B2_DIFFERENTIAL_SEED ?? "20260901");
const sequences = Number(process.env.B2_DIFFERENTIAL_SEQUENCES ?? "20");

const anyBucket = fc.nat(1);
// In the simulator, file ids of two buckets are the same: so one bucket has all the files.
const bucket = fc.constant(1);
const name = fc.constantFrom("a", "a.txt", "b/1", "b/2", "b/c/3", "b0", "ü", "𝒳");
const info = fc.constantFrom<Record<string, string>>(
  {},
  { colour: "blue" },
  { é: "x" },
  { a: "ü +%" },
);
const prefix = fc.constantFrom("", "b", "b/c");
const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("upload"),
      bucket,
      name,
      content: fc.string({ maxLength: 40 }),
      info: info.filter((value) => !("é" in value)),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("hide"), bucket, name }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("delete"), bucket, name, index: fc.nat(5) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("names"),
      bucket,
      path: prefix,
      recursive: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("versions"),
      bucket,
      path: prefix,
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("download"),
      bucket,
      name,
      first: fc.nat(10),
      length: fc.option(fc.integer({ min: 1, max: 10 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("info"), bucket, name }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("copy"),
      bucket,
      name,
      to_bucket: bucket,
      to_name: name,
      replace: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("update"),
      bucket: anyBucket,
      type_: fc.constantFrom("allPrivate", "allPublic"),
      info: fc.constantFrom({}, { a: "1" }),
      rules: fc.constantFrom(
        [],
        [{ fileNamePrefix: "x", daysFromHidingToDeleting: 1, daysFromUploadingToHiding: null }],
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("bucket", "duplicate"), bucket: anyBucket }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("retain"), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("hold"), name, on: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("key"),
      bucket: fc.option(anyBucket),
      name: fc.constantFrom("key-1", "key-2"),
      prefix: fc.option(fc.constantFrom("b/")),
    }),
  },
);
const large = fc
  .record({
    do: fc.constant("large"),
    bucket,
    name,
    parts: fc.constant(2),
    end: fc.constantFrom("finish", "cancel", "leave"),
  })
  // The simulator hides the finished versions of a name that has an unfinished one.
  .map((step) => (step.end === "leave" ? { ...step, name: "left" } : step));
const sequence = fc
  .tuple(fc.array(operation, { minLength: 30, maxLength: 50 }), fc.array(large, { maxLength: 2 }))
  .map(([many, few]) => many.flatMap((step, index) => [step, ...(index === 20 ? few : [])]));

let world: ConformanceWorld;
let programs: string;
beforeAll(async () => {
  world = await ConformanceWorld.start();
  programs = await pythonPrograms();
});
afterAll(async () => world.stop());

async function run(target: unknown, work: unknown[]): Promise<unknown[][]> {
  const script = join(import.meta.dirname, "differential.py");
  const result = await execa(join(programs, "python"), [script], {
    input: JSON.stringify({ target, sequences: work }),
  });
  return JSON.parse(result.stdout) as unknown[][];
}

describe("b2sdk", () => {
  it("sees the same in the emulator as in its own simulator, whatever is done", async () => {
    const work = fc.sample(sequence, { seed, numRuns: sequences });
    const { url, applicationKeyId, applicationKey } = world.emulator;
    const [simulated, emulated] = await Promise.all([
      run("simulator", work),
      run({ url, keyId: applicationKeyId, key: applicationKey }, work),
    ]);
    for (const [index, operations] of work.entries()) {
      const told = operations.map((step, at) => ({ index, step, result: emulated[index]?.[at] }));
      const expected = operations.map((step, at) => ({
        index,
        step,
        result: simulated[index]?.[at],
      }));
      expect(told).toEqual(expected);
    }
  });
});
