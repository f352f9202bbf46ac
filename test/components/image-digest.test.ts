import type { GetRegistryImageResult } from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, describe, expect, it, vi } from "vitest";
import { pinImages } from "../../components/image-digest.ts";
import { parseStackConfig } from "../../config/parse.ts";
import type { RestServerTargetConfig } from "../../config/stack.ts";
import { CADDY_IMAGE } from "../../config/targets/tls.ts";
import { raw, validConfig } from "../config/valid.ts";
import { recordRegistrations } from "./mocks.ts";

const config = parseStackConfig(raw(validConfig()), "test");
const A = `sha256:${"a".repeat(64)}`;
const B = `sha256:${"b".repeat(64)}`;

/** What the registry was asked for, and what the operator was told. */
async function listen(answer: (name: string) => string) {
  const asked: string[] = [];
  const said: string[] = [];
  await recordRegistrations({
    calls: {
      "docker:index/getRegistryImage:getRegistryImage": ({ name }) => {
        asked.push(String(name));
        const sha256Digest = answer(String(name));
        return {
          id: sha256Digest,
          name: String(name),
          sha256Digest,
        } satisfies GetRegistryImageResult;
      },
    },
  });
  for (const level of ["info", "warn"] as const) {
    vi.spyOn(pulumi.log, level).mockImplementation((line: string) => {
      if (!line.includes("its registry is asked")) said.push(`${level}: ${line}`);
      return Promise.resolve();
    });
  }
  return { asked, said };
}

/** An error as it arrives from a plugin. */
const failed = (details: string) => Object.assign(new Error(details), { details });

afterEach(() => void vi.restoreAllMocks());

const targetWith = (change: Partial<RestServerTargetConfig>) => ({
  ...(config.targets.peer as RestServerTargetConfig),
  ...change,
});

const recordWith = (digests: Record<string, string>) => ({
  type: "rest-server" as const,
  compose: "0".repeat(64),
  htpasswd: "0".repeat(64),
  digests,
});

const IMAGE = "restic/rest-server:0.14.0";

describe("an image", () => {
  it("that the settings pin is not asked for", async () => {
    const { asked, said } = await listen(() => A);
    const target = targetWith({ tls: "self-signed", image: `sha256:${"c".repeat(64)}` });
    expect((await pinImages("peer", target, undefined)).target).toEqual(target);
    expect({ asked, said }).toEqual({ asked: [], said: [] });
  });

  it("by a tag is put on the peer with the digest that its registry names", async () => {
    const { asked, said } = await listen(() => A);
    const { target, digests } = await pinImages("peer", targetWith({ image: IMAGE }), undefined);
    expect(target.image).toBe(`${IMAGE}@${A}`);
    expect(target.caddyImage).toBe(CADDY_IMAGE);
    expect(digests).toEqual({ [IMAGE]: A });
    expect(asked).toEqual([IMAGE]);
    expect(said).toEqual([`info: targets.peer.image: ${IMAGE} is ${A}`]);
  });

  it("without a tag is the latest, at a registry with a port too", async () => {
    const { asked } = await listen(() => A);
    const image = "registry.example:5000/rest-server";
    const { target } = await pinImages("peer", targetWith({ image }), undefined);
    expect(asked).toEqual([`${image}:latest`]);
    expect(target.image).toBe(`${image}:latest@${A}`);
  });

  it("that has moved since the last update is said to have, with the way to stay", async () => {
    const { said } = await listen(() => B);
    const pinned = await pinImages(
      "peer",
      targetWith({ image: IMAGE }),
      recordWith({ [IMAGE]: A }),
    );
    expect(pinned.target.image).toBe(`${IMAGE}@${B}`);
    expect(said).toEqual([expect.stringContaining(`has moved from ${A} to ${B}`)]);
    expect(said[0]).toContain(`${IMAGE}@${A}`);
  });

  it("that has not moved is nothing to speak of", async () => {
    const { said } = await listen(() => A);
    await pinImages("peer", targetWith({ image: IMAGE }), recordWith({ [IMAGE]: A }));
    expect(said).toEqual([]);
  });

  it("stays what it was when its registry cannot be asked", async () => {
    const { said } = await listen(() => {
      throw failed("no route to host");
    });
    const pinned = await pinImages(
      "peer",
      targetWith({ image: IMAGE }),
      recordWith({ [IMAGE]: A }),
    );
    expect(pinned.target.image).toBe(`${IMAGE}@${A}`);
    expect(pinned.digests).toEqual({ [IMAGE]: A });
    expect(said.join()).toContain("could not be looked up, the one of the last update stays");
  });

  it("of which nobody knows the digest ends the update, and says how to pin it", async () => {
    await listen(() => {
      throw failed("no route to host");
    });
    const pinned = pinImages("peer", targetWith({ image: IMAGE }), undefined);
    await expect(pinned).rejects.toThrow(/targets\.peer\.image.*no route to host.*Pin it/s);
  });

  it("is not taken at the word of a registry that names no digest", async () => {
    const escape = "\u001b";
    await listen(() => `latest${escape}[31m`);
    const pinned = pinImages("peer", targetWith({ image: IMAGE }), undefined);
    await expect(pinned).rejects.toThrow(/named latest/);
    await expect(pinned).rejects.not.toThrow(escape);
  });
});
