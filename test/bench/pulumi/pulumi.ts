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

const BECAUSE =
  "the plugins of the stack's two packages start one after the other, each a process, and each resource is some calls between three processes: a program of as many resources that do nothing, of one package, takes what stands behind it. The look is a connection to the peer and a script there";

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
    const bound = { reach: { most: 1.15 }, because: BECAUSE };
    for (const language of ["TypeScript", "JavaScript"] as const) {
      for (const [which, what] of [
        ["7 hosts", "no look"],
        ["with look", "with a look at peer and bundle"],
      ] as const) {
        figures.push({
          ...{
            what: `${name}: 7 hosts, ${what}`,
            against: `an empty ${language} program`,
            ...bound,
          },
          ...ratioOf(all, which, `empty ${language}`),
        });
      }
    }
  }
  return figures;
}
