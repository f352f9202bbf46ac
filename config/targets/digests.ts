/** The digests that were looked up for images which the settings do not pin. */
import type { TargetRecord } from "../record.ts";
import type { RestServerTargetConfig } from "./rest-server.ts";

/** Digests by image, as the last update found them. */
export type DigestMemory = Readonly<Record<string, string>>;

/** Whether an image is known by its content: by its digest, or by a local image's ID. */
export function isPinned(image: string): boolean {
  return image.includes("sha256:");
}

/** As docker spells it: without a tag it is the latest. */
export function withTag(image: string): string {
  return /:[\w.-]+$/.test(image.split("/").at(-1) ?? "") ? image : `${image}:latest`;
}

/** The settings with digests put in where there are some. */
export function withDigests(
  target: RestServerTargetConfig,
  digests: DigestMemory = {},
): RestServerTargetConfig {
  const pinned = (image: string) => {
    const digest = Object.hasOwn(digests, image) ? digests[image] : undefined;
    return isPinned(image) || digest === undefined ? image : `${withTag(image)}@${digest}`;
  };
  const { tunnel } = target;
  return {
    ...target,
    image: pinned(target.image),
    caddyImage: pinned(target.caddyImage),
    ...(tunnel !== undefined && { tunnel: { ...tunnel, image: pinned(tunnel.image) } }),
  };
}

/** The digests that the last update used. */
export function rememberedDigests(record: TargetRecord | undefined): DigestMemory {
  return (record?.type === "rest-server" ? record.digests : undefined) ?? {};
}
