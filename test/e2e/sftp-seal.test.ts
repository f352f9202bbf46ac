/** The sealing of an SFTP directory runs as root over names that a thief may choose. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sealScript } from "../../peer/sftp/script.ts";

/** Nobody's on this machine: the hub's user at the peer. */
const THIEF = 64_123;

let folder: string;
let repository: string;
let elsewhere: string;

function put(path: string, content: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chownSync(path, THIEF, THIEF);
  return path;
}

async function seal(): Promise<{ waiting: string | undefined }> {
  await execa("sh", [join(folder, "seal.sh"), "wait"], { cwd: elsewhere });
  return { waiting: readFileSync(join(folder, "sftp/sealed"), "utf8").split(" ")[1] };
}

function packOf(content: string): string {
  const name = createHash("sha256").update(content).digest("hex");
  return join(repository, "data", name.slice(0, 2), name);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fort-offsite-seal-"));
  repository = join(folder, "repositories/q/repository");
  elsewhere = join(folder, "elsewhere");
  for (const each of ["sftp", "elsewhere"]) mkdirSync(join(folder, each));
  for (const kind of ["data", "index", "keys", "snapshots", "locks"]) {
    mkdirSync(join(repository, kind), { recursive: true });
  }
  const place = {
    ...{ project: "p", dataDir: folder, maxSizeGiB: 1 },
    users: [{ user: "root", host: undefined, publicKey: "" }],
  };
  writeFileSync(join(folder, "seal.sh"), sealScript(place));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("the sealing", () => {
  it("takes no line break in a name for the name of a file elsewhere", async () => {
    const own = join(elsewhere, "config");
    writeFileSync(own, "root's own");
    chmodSync(own, 0o600);
    // Read by lines, the second of this name is "config".
    put(join(repository, "x\nconfig"), "a thief's");
    const honest = put(packOf("a pack"), "a pack");

    expect((await seal()).waiting).toBe("0");
    expect(statSync(own).mode & 0o777).toBe(0o600);
    expect(statSync(honest)).toMatchObject({ uid: 0 });
  });

  it("reckons no hash of a file that is large and empty, and seals what came beside it", async () => {
    const hollow = put(packOf("hollow"), "");
    truncateSync(hollow, 8 * 2 ** 40);
    const honest = put(packOf("another pack"), "another pack");

    expect((await seal()).waiting).toBe("1");
    expect(statSync(honest).uid).toBe(0);
    expect(statSync(hollow).uid).toBe(THIEF);
  });

  it("puts a file in place at once where the repositories are a disk of their own", async () => {
    const own = join(folder, "repositories");
    await execa("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", own]);
    try {
      const name = createHash("sha256").update("there").digest("hex");
      mkdirSync(join(repository, "data", name.slice(0, 2)), { recursive: true });
      const file = put(packOf("there"), "there");
      // A copy from another disk would be written under the name itself, bit by bit.
      const traced = await execa("sh", ["-x", join(folder, "seal.sh"), "wait"], { all: true });
      const [, from = ""] = /^\+ mv -fT (\S+) \S+\/data\//m.exec(traced.all) ?? [];
      expect(dirname(from).startsWith(`${own}/`), traced.all).toBe(true);
      expect(statSync(file)).toMatchObject({ uid: 0, size: 5 });
      expect(existsSync(dirname(from))).toBe(false);
    } finally {
      await execa("umount", [own]);
    }
  });
});
