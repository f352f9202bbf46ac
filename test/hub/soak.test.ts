import { expect, it } from "vitest";
import { soak } from "../soak/soak.ts";

it("leaves sound targets when it is killed while backups and prunes run without pause", async () => {
  const lines: string[] = [];
  const result = await soak({ kills: 5, log: (line) => lines.push(line) });
  expect(result.problems, lines.join("\n")).toEqual([]);
  expect(result.checks).toBeGreaterThan(5);
}, 240_000);
