import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { valueOf } from "./evaluate.ts";

it("the flake exports the modules, and all as the default", async () => {
  const { value } = await valueOf(join(import.meta.dirname, "flake-outputs.nix"), {});
  const outputs = value as { modules: Record<string, string>; default: string[] };
  expect(Object.keys(outputs.modules)).toEqual(["backup-client", "backup-hub", "monitoring"]);
  expect([...outputs.default].sort()).toEqual(Object.values(outputs.modules).sort());
  for (const path of outputs.default) expect(existsSync(path)).toBe(true);
});
