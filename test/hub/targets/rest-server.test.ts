import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HASHED_KINDS, type RepositoryFile } from "../../../hub/repository/layout.ts";
import { listRepository } from "../../../hub/repository/listing.ts";
import { RestServerTarget } from "../../../hub/targets/rest-server.ts";
import type { SendResult } from "../../../hub/targets/target.ts";
import { World } from "../world.ts";

let world: World;

beforeEach(async () => {
  world = new World(["q"]);
  await world.addPeer();
  await world.seed("q");
});

afterEach(async () => {
  await world.close();
});

function target(options: { uploadLimit?: number; idle?: number } = {}): RestServerTarget {
  return new RestServerTarget({
    name: "peer",
    url: `http://127.0.0.1:${world.peerPort}/`,
    maxBytes: undefined,
    repositories: world.repositories,
    users: new Map([["q", { user: "q", passwords: world.trio }]]),
    uploadLimit: options.uploadLimit ?? Infinity,
    patience: { connect: 1000, idle: options.idle ?? 5000, attempts: 1, pause: 1 },
  });
}

async function filesOf(host: string): Promise<RepositoryFile[]> {
  const listing = await listRepository(world.at(host));
  return HASHED_KINDS.flatMap((kind) =>
    [...listing.files[kind].entries()].map(([name, size]) => ({ host, kind, name, size })),
  );
}

async function send(to: RestServerTarget, files: RepositoryFile[]): Promise<SendResult[]> {
  const results: SendResult[] = [];
  await to.send(files, {
    bytes: () => undefined,
    done: (_, result) => {
      results.push(result);
    },
  });
  return results;
}

describe("RestServerTarget", () => {
  it("lists what it has sent, with sizes", async () => {
    const peer = target();
    const files = await filesOf("q");
    expect((await peer.inventory(["q"])).get("q")).toMatchObject({ config: undefined });
    const results = await send(peer, files);
    expect(results).toEqual(files.map(() => ({ result: "sent" })));
    const inventory = (await peer.inventory(["q"])).get("q");
    if (inventory === undefined || inventory instanceof Error) throw new Error("no inventory");
    for (const { kind, name, size } of files) {
      expect(kind === "config" ? undefined : inventory.files[kind].get(name)).toBe(size);
    }
    await peer.close();
  });

  it("calls a file present that is there with its size", async () => {
    const peer = target();
    const files = await filesOf("q");
    await send(peer, files);
    expect(await send(peer, files)).toEqual(files.map(() => ({ result: "present" })));
    await peer.close();
  });

  it("takes slow for no failure while bytes go on", async () => {
    // The largest packs travel for several times as long as a silent connection is waited for.
    const peer = target({ uploadLimit: 1_000_000, idle: 1000 });
    await peer.inventory(["q"]);
    const files = await filesOf("q");
    expect(await send(peer, files)).toEqual(files.map(() => ({ result: "sent" })));
    await peer.close();
  });

  it("says of a file that has gone that it vanished", async () => {
    const peer = target();
    const file = { host: "q", kind: "data", name: "ab".repeat(32), size: 5 } as const;
    expect(await send(peer, [file])).toEqual([{ result: "vanished" }]);
    await peer.close();
  });

  it("gives a server up that does not answer", async () => {
    await world.stopPeer();
    const peer = target();
    const inventory = (await peer.inventory(["q"])).get("q");
    expect(inventory).toMatchObject({ name: "StopError", scope: "target" });
    await peer.close();
  });
});
