import { expect, test } from "vitest";
import { runSteps } from "../../tools/check.ts";

test("a check prints a line a step, and of a failed one all that it said", async () => {
  const lines: string[] = [];
  const results = await runSteps(
    [
      { name: "good", script: ["-e", "console.log('noise')"] },
      {
        name: "bad",
        script: ["-e", "console.log('why'); console.error('where'); process.exit(1)"],
      },
      { name: "silent", script: ["-e", "process.exit(2)"] },
    ],
    (line) => lines.push(line.replace(/ \(.*s\)$/, "")),
  );
  expect(results).toEqual([
    { name: "good", passed: true },
    { name: "bad", passed: false },
    { name: "silent", passed: false },
  ]);
  expect(lines).toContain("ok      good");
  expect(lines[lines.indexOf("FAILED  bad") + 1]).toBe("why\nwhere");
  expect(lines[lines.indexOf("FAILED  silent") + 1]).toContain("exit code 2");
  expect(lines.join()).not.toContain("noise");
});
