import { stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { installCommand, withoutServices } from "../../tools/packages.ts";
import { World } from "./world.ts";

let world: World;
let policy: string;

beforeEach(async () => {
  world = await World.make();
  policy = path.join(world.folder, "policy-rc.d");
});
afterEach(() => world.remove());

const isThere = () =>
  stat(policy).then(
    ({ mode }) => (mode & 0o111) !== 0,
    () => false,
  );

describe("while packages are installed", () => {
  test("no service starts, and afterwards everything is as it was", async () => {
    expect(await withoutServices(isThere, policy)).toBe(true);
    expect(await isThere()).toBe(false);
  });

  test("a failure takes the policy away as well", async () => {
    const failed = withoutServices(() => Promise.reject(new Error("no such package")), policy);
    await expect(failed).rejects.toThrow("no such package");
    expect(await isThere()).toBe(false);
  });

  test("a policy of the system's own stays what it is", async () => {
    await writeFile(policy, "#!/bin/sh\nexit 0\n");
    await withoutServices(() => Promise.resolve(), policy);
    expect((await stat(policy)).size).toBe("#!/bin/sh\nexit 0\n".length);
  });

  test("a policy that a killed run left behind goes with the next one", async () => {
    const { readFile } = await import("node:fs/promises");
    let left = "";
    await withoutServices(async () => {
      left = await readFile(policy, "utf8");
    }, policy);
    await writeFile(policy, left);
    await withoutServices(() => Promise.resolve(), policy);
    expect(await isThere()).toBe(false);
  });
});

test("the command that installs packages names each once", () => {
  expect(installCommand(["docker.io", "apache2-utils", "docker.io"])).toMatch(
    /(?:apache2-utils docker\.io|apacheHttpd docker)$/,
  );
});
