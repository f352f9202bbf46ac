/** All benchmarks, in the order in which they run. */
import type { Benchmark } from "./benchmark.ts";
import { memory } from "./memory/memory.ts";
import { mirrorChange } from "./mirror/change.ts";
import { mirrorFirst } from "./mirror/first.ts";
import { mirrorNothingNew } from "./mirror/nothing-new.ts";
import { verifyWithoutPassword } from "./mirror/verify.ts";
import { provider } from "./pulumi/provider.ts";
import { pulumi } from "./pulumi/pulumi.ts";
import { thousand } from "./pulumi/thousand.ts";

export const BENCHMARKS: readonly Benchmark[] = [
  mirrorFirst,
  mirrorNothingNew,
  mirrorChange,
  verifyWithoutPassword,
  memory,
  pulumi,
  thousand,
  provider,
];
