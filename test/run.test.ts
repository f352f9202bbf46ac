import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tallyOf } from "./run.ts";

const file = (assertions: [string, string][], status = "passed", message = "") => ({
  name: path.resolve("test/a.test.ts"),
  status,
  message,
  assertionResults: assertions.map(([fullName, status]) => ({ fullName, status })),
});

describe("the count of a run", () => {
  test("has each test once, and a skipped one among the failed", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("passed", "failed", "skipped", "pending", "todo"), {
          minLength: 1,
        }),
        (statuses) => {
          const tests = statuses.map((status, index): [string, string] => [`t${index}`, status]);
          const success = statuses.every((status) => status !== "failed");
          const { passed, failed } = tallyOf({ success, testResults: [file(tests)] }, "unit");
          expect(passed).toBe(statuses.filter((status) => status === "passed").length);
          expect(passed + failed.length).toBe(statuses.length);
        },
      ),
    );
  });

  test("names what failed by its file", () => {
    const report = {
      success: false,
      testResults: [
        file(
          [
            ["a does b", "failed"],
            ["a does c", "skipped"],
          ],
          "failed",
        ),
      ],
    };
    expect(tallyOf(report, "unit").failed).toEqual([
      "test/a.test.ts: a does b",
      "test/a.test.ts: a does c (skipped: a test that does not run is a failure)",
    ]);
  });

  test("counts a file that could not be loaded, or whose hooks failed, as failed", () => {
    const broken = file([], "failed", "SyntaxError: x\n    at y");
    const hooks = file([["a", "passed"]], "failed", "Error: afterAll");
    expect(tallyOf({ success: false, testResults: [broken, hooks] }, "unit")).toEqual({
      passed: 1,
      failed: ["test/a.test.ts: SyntaxError: x", "test/a.test.ts: Error: afterAll"],
    });
  });

  test("fails without tests, without a report, and for errors outside of tests", () => {
    expect(tallyOf({ success: true, testResults: [] }, "e2e").failed).toEqual([
      "e2e: there is no test",
    ]);
    expect(tallyOf(undefined, "e2e").failed).toEqual(["e2e: the runner left no report"]);
    const stray = { success: false, testResults: [file([["a", "passed"]])] };
    expect(tallyOf(stray, "e2e").failed).toEqual(["e2e: see the errors above"]);
  });
});
