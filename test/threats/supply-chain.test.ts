/** What comes from others' servers is what somebody looked at, byte for byte. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { REST_SERVER_IMAGE } from "../../config/targets/rest-server.ts";
import { CADDY_IMAGE } from "../../config/targets/tls.ts";
import { TAILSCALE_IMAGE } from "../../config/targets/tunnel.ts";

const ROOT = path.resolve(import.meta.dirname, "..", "..");

interface LockedPackage {
  readonly integrity?: string;
  readonly link?: boolean;
  readonly resolved?: string;
}

it("every npm package is locked by the hash of its content, wherever it is fetched from", () => {
  const lock = JSON.parse(readFileSync(path.join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, LockedPackage>;
  };
  // The root, the B2 provider's folder and the link to it are our own.
  const foreign = Object.entries(lock.packages).filter(
    ([name, { link }]) => name.startsWith("node_modules/") && link !== true,
  );
  expect(foreign.length).toBeGreaterThan(100);
  const loose = foreign.filter(([, { integrity = "" }]) => !/^sha(512|384)-/.test(integrity));
  expect(loose.map(([name]) => name)).toEqual([]);
  const own = Object.entries(lock.packages).filter(([, { link }]) => link === true);
  expect(own.map(([, { resolved }]) => resolved)).toEqual(["sdks/b2"]);
});

it("every dependency of the project is named by one version, and not by a range", () => {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(path.join(ROOT, "package.json"), "utf8"),
  ) as Record<string, Record<string, string>>;
  const ranges = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+$/.test(version) && version !== "file:sdks/b2",
  );
  expect(ranges).toEqual([]);
});

it("the images that handle backups, passwords or keys are named by the hash of their content", () => {
  for (const image of [REST_SERVER_IMAGE, CADDY_IMAGE, TAILSCALE_IMAGE]) {
    expect(image).toMatch(/^[a-z/-]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
  }
});
