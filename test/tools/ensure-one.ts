/** Wants one program, in the world that WORLD names, and says what it does: for processes.test.ts. */
import path from "node:path";
import { ensurePrograms } from "../../tools/index.ts";
import { FakePackages, SPEC, World } from "./world.ts";

const folder = process.env.WORLD ?? "";
const programs = await ensurePrograms(
  ["restic"],
  { onProgress: ({ step }) => console.log(step) },
  {
    catalogue: { restic: { ...SPEC, offPath: true, go: World.go } },
    cache: path.join(folder, "cache"),
    modules: path.join(folder, "modules"),
    packages: new FakePackages(),
    staleLocksAfter: 2_000,
  },
);
console.log(`at ${programs.get("restic")?.path ?? "nowhere"}`);
