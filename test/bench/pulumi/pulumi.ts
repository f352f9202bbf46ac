/** A preview and an update with nothing to do, of the seed's stack, beside those of an empty program. */
import { startCluster } from "../../e2e/cluster.ts";
import type { Bench, Benchmark, Figure } from "../benchmark.ts";
import {
  EMPTY,
  EMPTY_TYPESCRIPT,
  inTurn,
  makeComparison,
  OPERATIONS,
  ofStack,
  ratioOf,
  resourcesOf,
  resourcesOnly,
  withoutLooks,
} from "./stacks.ts";

export const pulumi: Benchmark = {
  name: "pulumi",
  summary: "pulumi preview and a no-op up of the seed's stack, against an empty program's",
  run,
};

/** Which is held against which, and what it is called. */
const COMPARISONS = [
  ["7 hosts", "empty TypeScript", "no look"],
  ["with look", "empty TypeScript", "with a look at peer and bundle"],
  ["7 hosts", "trivial", "no look"],
] as const;

const AGAINST = {
  "empty TypeScript": "an empty program, as pulumi new typescript makes it",
  trivial: "a program of as many resources that do nothing",
} as const;

const BECAUSE =
  "an empty program has no resource and starts no plugin. What stands behind as trivial is a program of as many resources that do nothing, of one package: above it this stack has a second plugin to start, and its own work. Fewer resources would mean previews that no longer name each file and each key. The look is a connection to the peer and a script there";

async function run(bench: Bench): Promise<readonly Figure[]> {
  const cluster = await startCluster();
  bench.defer(() => cluster.end());
  bench.log("making the stack of seven hosts");
  await cluster.up();
  const { stack } = cluster;
  const still = withoutLooks(stack);
  const { length } = await resourcesOf(stack);
  const empty = await makeComparison(bench, "empty", stack, EMPTY);
  const typescript = await makeComparison(bench, "typescript", stack, EMPTY_TYPESCRIPT);
  const trivial = await makeComparison(bench, "trivial", stack, resourcesOnly(length));
  const figures: Figure[] = [];
  for (const [name, args] of Object.entries(OPERATIONS)) {
    bench.log(`${name}: five commands, ${bench.runs + 1} times`);
    const all = await inTurn(bench, {
      "empty JavaScript": empty.command(args),
      "empty TypeScript": typescript.command(args),
      trivial: trivial.command(args),
      "7 hosts": ofStack(stack, args, still),
      "with look": ofStack(stack, args),
    });
    for (const [which, against, what] of COMPARISONS) {
      figures.push({
        ...{ what: `${name}: 7 hosts, ${what}`, reach: { most: 1.15 }, because: BECAUSE },
        against: AGAINST[against],
        ...ratioOf(all, which, against),
      });
    }
  }
  return figures;
}
