import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { zipSync } from "fflate";
import { create } from "tar";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PROGRAMS } from "../../tools/programs.ts";
import {
  checksumOf,
  ChecksumError,
  Downloader,
  installRelease,
  ReleaseError,
} from "../../tools/release.ts";
import type { Release } from "../../tools/spec.ts";
import { Maker, sha256Of } from "./world.ts";

const LINUX = { os: "linux", arch: "amd64" } as const;
/** The line "hello bzip2", compressed by bzip2 1.0.8. */
const BZIP2 = "QlpoOTFBWSZTWatrofEAAALZgAAQQAAQABJkwBAgADEA000EAB6j705RogeLuSKcKEhVtdD4gA==";

let maker: Maker;
let folder: string;

beforeEach(async () => {
  maker = await Maker.start();
  folder = await mkdtemp(path.join(os.tmpdir(), "release-"));
});
afterEach(async () => {
  await maker.stop();
  await rm(folder, { recursive: true, force: true });
});

function releaseOf(format: Release["format"], member?: string): Release {
  return {
    base: maker.base,
    asset: () => "asset",
    checksums: "SHA256SUMS",
    format,
    ...(member === undefined ? {} : { members: () => ({ tool: member }) }),
  };
}

async function install(release: Release): Promise<string> {
  const downloader = new Downloader();
  await installRelease("tool", release, folder, { downloader, platform: LINUX });
  const file = path.join(folder, "tool");
  expect((await stat(file)).mode & 0o777).toBe(0o755);
  return await readFile(file, "utf8");
}

describe("a release", () => {
  test("is taken as it is, or out of bzip2, tar and zip", async () => {
    maker.publish("asset", "binary");
    expect(await install(releaseOf("binary"))).toBe("binary");

    maker.files.clear();
    maker.publish("asset", Buffer.from(BZIP2, "base64"));
    expect(await install(releaseOf("bz2"))).toBe("hello bzip2\n");

    maker.files.clear();
    maker.publish(
      "asset",
      Buffer.from(zipSync({ "x/tool": Buffer.from("zipped"), "x/other": Buffer.from("") })),
    );
    expect(await install(releaseOf("zip", "x/tool"))).toBe("zipped");

    maker.files.clear();
    await mkdir(path.join(folder, "x"));
    await writeFile(path.join(folder, "x", "tool"), "tarred");
    await writeFile(path.join(folder, "x", "other"), "");
    const file = path.join(folder, "archive");
    await create({ gzip: true, cwd: folder, file }, ["x"]);
    maker.publish("asset", await readFile(file));
    expect(await install(releaseOf("tar.gz", "x/tool"))).toBe("tarred");
    await expect(install(releaseOf("tar.gz", "x/missing"))).rejects.toThrow("has no x/missing");
  });

  test("with another checksum than the published one is not written", async () => {
    maker.publish("asset", "bad", sha256Of("good"));
    await expect(install(releaseOf("binary"))).rejects.toBeInstanceOf(ChecksumError);
    await expect(stat(path.join(folder, "tool"))).rejects.toThrow("ENOENT");
  });

  test("may be published with a SHA-512, which is compared all the same", async () => {
    const sha512Of = (text: string) => createHash("sha512").update(text).digest("hex");
    maker.publish("asset", "good", sha512Of("good"));
    expect(await install(releaseOf("binary"))).toBe("good");
    maker.publish("asset", "bad", sha512Of("good"));
    await expect(install(releaseOf("binary"))).rejects.toThrow(/has SHA-512 /);
    expect(await readFile(path.join(folder, "tool"), "utf8")).toBe("good");
  });

  test("may have its bare checksum in a file beside it", async () => {
    const release = { ...releaseOf("binary"), checksums: (asset: string) => `${asset}.sha256` };
    maker.files.set("asset", Buffer.from("good"));
    maker.files.set("asset.sha256", Buffer.from(`${sha256Of("good")}\n`));
    expect(await install(release)).toBe("good");
    maker.files.set("asset", Buffer.from("bad"));
    await expect(install(release)).rejects.toBeInstanceOf(ChecksumError);
    maker.files.set("asset.sha256", Buffer.from("not found"));
    await expect(install(release)).rejects.toThrow("asset.sha256 has no checksum of asset");
  });

  test("without a published checksum is not used", async () => {
    maker.publish("other", "x");
    maker.files.set("asset", Buffer.from("x"));
    await expect(install(releaseOf("binary"))).rejects.toThrow("has no checksum of asset");
    expect(maker.asked).toEqual(["SHA256SUMS"]);
  });

  test("is asked for again when the server has a moment's trouble", async () => {
    maker.publish("asset", "binary");
    maker.trouble.push(503, 429);
    expect(await install(releaseOf("binary"))).toBe("binary");
    maker.trouble.push(500, 500, 500);
    await expect(install(releaseOf("binary"))).rejects.toThrow(/SHA256SUMS answers 500/);
    maker.trouble.push(403);
    maker.asked.length = 0;
    await expect(install(releaseOf("binary"))).rejects.toThrow(/answers 403/);
    expect(maker.asked).toHaveLength(1);
  });

  test("of a host that cannot be reached is asked for once", async () => {
    const { base } = maker;
    await maker.stop();
    maker = await Maker.start();
    const downloader = new Downloader();
    const first: unknown = await downloader.get(`${base}a`).catch((error: unknown) => error);
    expect(first).toBeInstanceOf(ReleaseError);
    expect((first as Error).message).toMatch(/cannot be reached/);
    await expect(downloader.get(`${base}b`)).rejects.toThrow((first as Error).message);
  });

  test("is not had for a platform that the maker does not know", async () => {
    const options = { downloader: new Downloader(), platform: undefined };
    const failed = installRelease("tool", releaseOf("binary"), folder, options);
    await expect(failed).rejects.toThrow("the maker has no release for");
  });
});

describe("a file of checksums", () => {
  const hex = fc.stringMatching(/^([0-9a-f]{64}){1,2}$/);
  const name = fc.stringMatching(/^[A-Za-z0-9._-]{1,30}$/);

  test("gives the checksum of exactly the file that is meant", () => {
    fc.assert(
      fc.property(fc.dictionary(name, hex, { minKeys: 1 }), fc.boolean(), (sums, binary) => {
        const text = Object.entries(sums)
          .map(([file, sum]) => `${sum} ${binary ? "*" : " "}${file}`)
          .join("\n");
        for (const [file, sum] of Object.entries(sums)) expect(checksumOf(text, file)).toBe(sum);
        expect(checksumOf(text, `${Object.keys(sums)[0] ?? ""}.sig`)).toBe(
          sums[`${Object.keys(sums)[0] ?? ""}.sig`],
        );
      }),
    );
  });

  test("may be wrapped in a signature", () => {
    const sum = "ab".repeat(32);
    const text = `-----BEGIN PGP SIGNED MESSAGE-----\r\nHash: SHA1\r\n\r\n${sum}  a.zip\r\n-----BEGIN PGP SIGNATURE-----\r\n`;
    expect(checksumOf(text, "a.zip")).toBe(sum);
    expect(checksumOf(text, "b.zip")).toBeUndefined();
  });
});

describe("the list", () => {
  test("names a release's file and archive members for every platform", () => {
    const names = Object.fromEntries(
      Object.entries(PROGRAMS).flatMap(([program, { release }]) =>
        release === undefined
          ? []
          : [
              [
                program,
                (["linux", "darwin"] as const).flatMap((system) =>
                  (["amd64", "arm64"] as const).map((arch) => release.asset({ os: system, arch })),
                ),
              ],
            ],
      ),
    );
    expect(names).toMatchObject({
      pulumi: [
        "pulumi-v3.246.0-linux-x64.tar.gz",
        "pulumi-v3.246.0-linux-arm64.tar.gz",
        "pulumi-v3.246.0-darwin-x64.tar.gz",
        "pulumi-v3.246.0-darwin-arm64.tar.gz",
      ],
      rclone: [
        "rclone-v1.75.1-linux-amd64.zip",
        "rclone-v1.75.1-linux-arm64.zip",
        "rclone-v1.75.1-osx-amd64.zip",
        "rclone-v1.75.1-osx-arm64.zip",
      ],
      "docker-compose": [
        "docker-compose-linux-x86_64",
        "docker-compose-linux-aarch64",
        "docker-compose-darwin-x86_64",
        "docker-compose-darwin-aarch64",
      ],
      restic: expect.arrayContaining(["restic_0.18.1_linux_amd64.bz2"]) as string[],
      sops: expect.arrayContaining(["sops-v3.13.3.linux.amd64"]) as string[],
      versitygw: [
        "versitygw_v1.8.0_Linux_x86_64.tar.gz",
        "versitygw_v1.8.0_Linux_arm64.tar.gz",
        "versitygw_v1.8.0_Darwin_x86_64.tar.gz",
        "versitygw_v1.8.0_Darwin_arm64.tar.gz",
      ],
      caddy: [
        "caddy_2.11.9_linux_amd64.tar.gz",
        "caddy_2.11.9_linux_arm64.tar.gz",
        "caddy_2.11.9_mac_amd64.tar.gz",
        "caddy_2.11.9_mac_arm64.tar.gz",
      ],
      headscale: expect.arrayContaining(["headscale_0.29.0_linux_amd64"]) as string[],
      tailscaled: [
        "tailscale_1.102.5_amd64.tgz",
        "tailscale_1.102.5_arm64.tgz",
        undefined,
        undefined,
      ],
      actionlint: expect.arrayContaining(["actionlint_1.7.12_linux_amd64.tar.gz"]) as string[],
    });
  });
});
