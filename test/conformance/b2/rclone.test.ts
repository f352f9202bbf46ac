import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { ConformanceWorld, noise } from "./world.ts";

let world: ConformanceWorld;
let count = 0;
beforeAll(async () => {
  world = await ConformanceWorld.start();
});
afterAll(async () => world.stop());

async function bucket(): Promise<{ name: string; bucketId: string }> {
  count += 1;
  const name = `rclone-${count}`;
  return { name, bucketId: await world.master.createBucket(name) };
}

describe("rclone", () => {
  it("copies a tree there and back, odd names and a large file among it", async () => {
    const { name } = await bucket();
    const source = await world.write("tree", {
      "a.txt": "a",
      "dir/ü x+%#?&.txt": "odd",
      "dir/empty": "",
      "dir/ .. / x": "spaces",
      "big.bin": noise(23_000_000, 1),
    });
    const chunks = ["--b2-upload-cutoff", "10M", "--b2-chunk-size", "5M"];
    await world.rclone("copy", source, `master:${name}/tree`, ...chunks);
    await world.rclone("check", source, `master:${name}/tree`);
    await world.rclone("check", "--download", source, `master:${name}/tree`);
    await world.rclone("copy", `master:${name}/tree`, world.path("back"));
    expect(await world.read("back")).toEqual(await world.read("tree"));
    const again = await world.run("rclone", "copy", "-v", source, `master:${name}/tree`);
    expect(again.stderr).toContain("There was nothing to transfer");
  });

  it("syncs by hiding, shows old versions, and goes back in time", async () => {
    const { name, bucketId } = await bucket();
    const source = await world.write("sync", { kept: "kept", changed: "old", gone: "gone" });
    await world.rclone("sync", source, `master:${name}`);
    await world.rclone("backend", "lifecycle", `master:${name}`);
    const between = new Date(Date.now() + 5).toISOString();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await world.write("sync2", { kept: "kept", changed: "new!" });
    await world.rclone("sync", world.path("sync2"), `master:${name}`, "--checksum");
    expect(await world.master.versions(bucketId)).toEqual([
      "upload changed",
      "upload changed",
      "hide gone",
      "upload gone",
      "upload kept",
    ]);
    expect(await world.rclone("lsf", `master:${name}`)).toBe("changed\nkept");
    const versions = await world.rclone("lsf", "--b2-versions", `master:${name}`);
    expect(versions.split("\n")).toHaveLength(4);
    const before = await world.rclone("lsf", "--b2-version-at", between, `master:${name}`);
    expect(before).toBe("changed\ngone\nkept");
    await world.rclone("copy", "--b2-version-at", between, `master:${name}`, world.path("past"));
    expect(await world.read("past")).toEqual(await world.read("sync"));
  });

  it("cleans hidden versions and unfinished large files up, and purges", async () => {
    const { name, bucketId } = await bucket();
    const source = await world.write("clean", { a: "a", b: "b" });
    await world.rclone("sync", source, `master:${name}`);
    await world.rclone("deletefile", `master:${name}/a`);
    await world.master.startLarge(bucketId, "unfinished", [Buffer.from("part")]);
    await world.rclone("cleanup", `master:${name}`);
    // rclone leaves an unfinished file alone for a day.
    expect(await world.master.versions(bucketId)).toEqual(["upload b", "start unfinished"]);
    await world.rclone("cleanup", `master:${name}`, "--b2-hard-delete");
    await world.rclone("backend", "cleanup", `master:${name}`, "-o", "max-age=0");
    expect(await world.master.versions(bucketId)).toEqual(["upload b"]);
    await world.rclone("purge", `master:${name}`);
    expect(await world.rclone("lsf", "master:")).not.toContain(name);
  });

  it("deletes for good with --b2-hard-delete", async () => {
    const { name, bucketId } = await bucket();
    await world.rclone("sync", await world.write("hard", { a: "a", b: "b" }), `master:${name}`);
    await world.rclone("deletefile", "--b2-hard-delete", `master:${name}/a`);
    expect(await world.master.versions(bucketId)).toEqual(["upload b"]);
  });

  it("copies on the server, small and large, without a byte of content going through", async () => {
    const { name } = await bucket();
    const source = await world.write("server", { small: "small", big: noise(12_000_000, 2) });
    const chunks = ["--b2-upload-cutoff", "6M", "--b2-chunk-size", "5M", "--b2-copy-cutoff", "5M"];
    await world.rclone("copy", source, `master:${name}/from`, ...chunks);
    world.emulator.resetStats();
    await world.rclone("copy", `master:${name}/from`, `master:${name}/to`, ...chunks);
    const { operations, bytesOut } = world.emulator.stats();
    expect(operations).toMatchObject({ b2_copy_file: 1, b2_copy_part: 3 });
    expect(bytesOut).toBe(0);
    await world.rclone("check", "--download", source, `master:${name}/to`);
  });

  it("shares a file for a while", async () => {
    const { name } = await bucket();
    await world.rclone("copy", await world.write("link", { a: "shared" }), `master:${name}`);
    const link = await world.rclone("link", `master:${name}/a`, "--expire", "1h");
    expect(await (await fetch(link)).text()).toBe("shared");
  });

  it("gets over resets, expired tokens, 429 and 503 without losing or doubling a file", async () => {
    const { name, bucketId } = await bucket();
    const names = Array.from({ length: 20 }, (_, index) => `f${String(index).padStart(2, "0")}`);
    const files = Object.fromEntries(names.map((file, index) => [file, noise(50_000, index)]));
    const source = await world.write("faults", files);
    world.emulator.faults.add(
      { operation: "upload_file", kind: "service-unavailable", skip: 2, count: 2 },
      { operation: "upload_file", kind: "reset", skip: 6 },
      { operation: "get_upload_url", kind: "expired-token", skip: 1 },
      { operation: "list_file_names", kind: "too-many-requests", retryAfterSeconds: 1 },
      { operation: "upload_file", kind: "internal-error", skip: 10 },
    );
    await world.rclone("copy", source, `master:${name}`, "--retries-sleep", "10ms");
    world.emulator.faults.clear();
    await world.rclone("check", "--download", source, `master:${name}`);
    expect(await world.master.versions(bucketId)).toEqual(names.map((file) => `upload ${file}`));
  });
});

describe("rclone in a test mode", () => {
  it.each(["fail_some_uploads", "expire_some_account_authorization_tokens"])(
    "gets over %s",
    async (mode) => {
      const { name, bucketId } = await bucket();
      const names = Array.from({ length: 6 }, (_, index) => `f${index}`);
      const source = await world.write(mode, Object.fromEntries(names.map((file) => [file, file])));
      world.emulator.resetStats();
      await world.rclone(
        "copy",
        source,
        `master:${name}`,
        "--b2-test-mode",
        mode,
        "--retries-sleep",
        "10ms",
      );
      expect(await world.master.versions(bucketId)).toEqual(names.map((file) => `upload ${file}`));
      const { statuses } = world.emulator.stats();
      expect((statuses[401] ?? 0) + (statuses[503] ?? 0)).toBeGreaterThan(0);
    },
  );

  it("stops at a cap that is forced, and says so", async () => {
    const { name } = await bucket();
    const source = await world.write("capped", { a: "a" });
    const copy = ["copy", source, `master:${name}`, "--b2-test-mode", "force_cap_exceeded"];
    const { exitCode, stderr } = await world.run("rclone", ...copy);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain("cap_exceeded");
  });
});

describe("rclone with a key that cannot delete, for one bucket", () => {
  it("copies, hides and cannot destroy", async () => {
    const { name, bucketId } = await bucket();
    await world.addRestrictedRemote("hider", {
      bucketId,
      capabilities: ["listBuckets", "listFiles", "readFiles", "writeFiles"],
    });
    const source = await world.write("hider", { a: "a", b: "b" });
    await world.rclone("sync", source, `hider:${name}`);
    await world.rclone("check", source, `hider:${name}`);
    await world.rclone("deletefile", `hider:${name}/a`);
    const hard = await world.run(
      "rclone",
      "deletefile",
      "--b2-hard-delete",
      "--low-level-retries",
      "1",
      "--retries",
      "1",
      `hider:${name}/b`,
    );
    expect(hard.exitCode).not.toBe(0);
    expect(await world.master.versions(bucketId)).toEqual(["hide a", "upload a", "upload b"]);
    const other = await world.run("rclone", "lsf", "hider:rclone-other");
    expect(other.exitCode).not.toBe(0);
  });

  it("lists under its prefix only, after ten refused questions at the prefix itself", async () => {
    const { name, bucketId } = await bucket();
    await world.addRestrictedRemote("prefixed", {
      bucketId,
      namePrefix: "host/",
      capabilities: ["listBuckets", "listFiles", "readFiles", "writeFiles"],
    });
    const source = await world.write("prefixed", { "repo/a": "a" });
    await world.rclone("copy", source, `prefixed:${name}/host`);
    world.emulator.resetStats();
    expect(await world.rclone("lsf", `prefixed:${name}/host`)).toBe("repo/");
    expect(world.emulator.stats().statuses[401]).toBe(10);
    world.emulator.resetStats();
    expect(await world.rclone("lsf", `prefixed:${name}/host/repo`)).toBe("a");
    expect(world.emulator.stats().statuses[401]).toBeUndefined();
    const outside = ["lsf", "--low-level-retries", "1", "--retries", "1", `prefixed:${name}/other`];
    expect((await world.run("rclone", ...outside)).exitCode).not.toBe(0);
  });
});
