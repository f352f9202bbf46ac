/** Which image a tag stands for, so that a peer is told its digest and what runs there is known. */
import * as pulumi from "@pulumi/pulumi";
import type { TargetRecord } from "../config/record.ts";
import type { RestServerTargetConfig } from "../config/stack.ts";
import {
  isPinned,
  rememberedDigests,
  withDigests,
  withTag,
  type DigestMemory,
} from "../config/targets/digests.ts";
import { messageOf } from "../hub/errors.ts";
import { excerpt, printable } from "../hub/format.ts";
import { plainError } from "./errors.ts";

/** A rest-server's settings whose images are pinned. */
export interface PinnedTarget {
  readonly target: RestServerTargetConfig;
  /** What was looked up; the record remembers it. */
  readonly digests: DigestMemory;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** The images of a target, with the settings that name them. */
function imagesOf(target: RestServerTargetConfig): (readonly [setting: string, image: string])[] {
  return [
    ["image", target.image],
    ...(target.tls === undefined ? [] : [["caddyImage", target.caddyImage] as const]),
    ...(target.tunnel === undefined ? [] : [["tunnel.image", target.tunnel.image] as const]),
  ];
}

/**
 * Pins a target's images. The registry is asked for those that the settings do not pin, and for no
 * others. One that cannot be asked stops no update: it goes on with the digest of the last one.
 *
 * @throws an error without a stack where a digest is neither to be had nor remembered.
 */
export async function pinImages(
  name: string,
  target: RestServerTargetConfig,
  before: TargetRecord | undefined,
): Promise<PinnedTarget> {
  const remembered = rememberedDigests(before);
  const unpinned = imagesOf(target).filter(([, image]) => !isPinned(image));
  const found = await Promise.all(
    unpinned.map(async ([setting, image]) => {
      const last = Object.hasOwn(remembered, image) ? remembered[image] : undefined;
      return [image, await lookUp(`targets.${name}.${setting}`, image, last)] as const;
    }),
  );
  const digests = Object.fromEntries(found);
  return { target: withDigests(target, digests), digests };
}

async function lookUp(place: string, image: string, last: string | undefined): Promise<string> {
  const name = withTag(image);
  const remedy = `Pin it: give the image as ${name}@sha256:…, as \`docker buildx imagetools inspect ${name}\` shows it`;
  // Where Pulumi lacks the plugin, it ends the update by itself, and this is all that is said.
  await pulumi.log.info(
    `${place}: ${name} has no digest; its registry is asked, through Pulumi's plugin docker. Where that cannot be: ${remedy}`,
  );
  let digest: string;
  try {
    // The SDK is large: only a stack that needs it waits for it.
    const docker = await import("@pulumi/docker");
    digest = (await docker.getRegistryImage({ name })).sha256Digest;
    if (!DIGEST.test(digest))
      throw new Error(`its registry named ${excerpt(digest)} as its digest`);
  } catch (error) {
    const reason = printable(messageOf(error)).slice(0, 400);
    if (last !== undefined) {
      void pulumi.log.warn(
        `${place}: the digest of ${name} could not be looked up, the one of the last update stays: ${last} (${reason})`,
      );
      return last;
    }
    throw plainError(
      `${place}: got ${name}, whose digest could not be looked up: ${reason}. ${remedy}`,
    );
  }
  if (last === undefined) {
    void pulumi.log.info(`${place}: ${name} is ${digest}`);
  } else if (last !== digest) {
    void pulumi.log.warn(
      `${place}: ${name} has moved from ${last} to ${digest}; the update runs the new one. To stay, pin it: ${name}@${last}`,
    );
  }
  return digest;
}
