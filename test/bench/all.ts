/** All benchmarks, in the order in which they run. */
import type { Benchmark } from "./benchmark.ts";
import { mirrorFirst } from "./mirror/first.ts";

export const BENCHMARKS: readonly Benchmark[] = [mirrorFirst];
