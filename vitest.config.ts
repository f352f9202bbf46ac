import { defineConfig } from "vitest/config";

/** Tests that stand a whole world up, after the quick ones: they take minutes. */
const slow = (name: string, groupOrder: number) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    maxWorkers: 3,
    testTimeout: 15 * 60_000,
    hookTimeout: 15 * 60_000,
    sequence: { groupOrder },
  },
});

export default defineConfig({
  test: {
    globalSetup: ["test/programs.ts"],
    // A test that is left out, or one that hides the others, is a failure.
    allowOnly: false,
    passWithNoTests: false,
    teardownTimeout: 60_000,
    // What is waited for is often a program's start, on a machine that may be busy.
    expect: { poll: { timeout: 30_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/conformance/**"],
          // One more than the cores of the machine that this is meant for: many wait for programs.
          maxWorkers: 3,
          // Many of these start real programs, on a machine that may be busy.
          testTimeout: 60_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 0 },
        },
      },
      slow("conformance", 1),
      slow("e2e", 2),
    ],
  },
});
