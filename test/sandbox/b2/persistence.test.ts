import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { startB2Emulator } from "../../../sandbox/b2/index.ts";
import { authorize, Client, sha1 } from "./harness.ts";

const cli = resolve(import.meta.dirname, "../../../sandbox/b2/cli.ts");

interface Running {
  process: ChildProcess;
  url: string;
  accountId: string;
  applicationKeyId: string;
  applicationKey: string;
}

let directory: string;
let running: Running[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "b2-persistence-"));
  running = [];
});
afterEach(async () => {
  for (const { process: child } of running) child.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
});

async function start(...more: string[]): Promise<Running> {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", cli, "--port", "0", "--data", directory, ...more],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const started = { process: child, ...(JSON.parse(line) as Omit<Running, "process">) };
  running.push(started);
  return started;
}

async function kill({ process: child }: Running, signal: NodeJS.Signals): Promise<unknown[]> {
  const exit = once(child, "exit");
  child.kill(signal);
  return exit;
}

async function client(emulator: Running): Promise<Client> {
  return Client.authorize(emulator, emulator.applicationKeyId, emulator.applicationKey);
}

async function blobs(): Promise<string[]> {
  const entries = await readdir(join(directory, "blobs"), {
    recursive: true,
    withFileTypes: true,
  });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe("the command line", () => {
  it("prints its URL and a master key as one line of JSON, and ends on SIGTERM with 0", async () => {
    const emulator = await start();
    expect(emulator.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(emulator.applicationKeyId).toBe(emulator.accountId);
    const answer = await authorize(
      emulator.url,
      emulator.applicationKeyId,
      emulator.applicationKey,
    );
    expect(answer.status).toBe(200);
    expect(await kill(emulator, "SIGTERM")).toEqual([0, null]);
  });
});

describe("a data folder", () => {
  it("survives kill -9: account, buckets, keys, files, parts, clock and tokens", async () => {
    const first = await start();
    const master = await client(first);
    const bucketId = await master.createBucket("kept-bucket", { bucketInfo: { a: "1" } });
    const key = await master.ok("create_key", {
      accountId: master.accountId,
      keyName: "kept",
      capabilities: ["listFiles"],
    });
    await master.put(bucketId, "a", "one");
    await master.put(bucketId, "a", "two");
    const part = Buffer.alloc(5_000_000, "p");
    const large = await master.startLarge(bucketId, "big", [part, Buffer.from("end")]);
    await fetch(`${first.url}/emulator/clock`, {
      method: "POST",
      body: JSON.stringify({ advanceMilliseconds: 3_600_000 }),
    });
    await kill(first, "SIGKILL");

    const second = await start();
    expect(second.applicationKey).toBe(first.applicationKey);
    const again = new Client(second.url, second.accountId);
    again.token = master.token;
    const { buckets } = await again.ok("list_buckets", { accountId: second.accountId });
    expect(buckets).toMatchObject([{ bucketId, bucketInfo: { a: "1" }, revision: 2 }]);
    expect(await again.versions(bucketId)).toEqual(["upload a", "upload a", "start big"]);
    expect(await (await again.download("/file/kept-bucket/a")).text()).toBe("two");
    const finished = await again.ok("finish_large_file", {
      fileId: large,
      partSha1Array: [sha1(part), sha1("end")],
    });
    expect(finished.contentLength).toBe(5_000_003);
    const kept = await authorize(second.url, key.applicationKeyId, key.applicationKey);
    expect(kept.status).toBe(200);
    const clock = await fetch(`${second.url}/emulator/clock`);
    const { now } = (await clock.json()) as { now: number };
    expect(now - Date.now()).toBeGreaterThan(3_500_000);
  });

  it("loses no answered upload and keeps no half one when it is killed in the middle", async () => {
    const first = await start();
    const master = await client(first);
    const bucketId = await master.createBucket("killed-bucket");
    const answered: string[] = [];
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let index = 0; ; index += 1) {
        const name = `w${writer}-${index}`;
        await master.put(bucketId, name, name.repeat(20_000));
        answered.push(name);
        if (answered.length === 40) first.process.kill("SIGKILL");
      }
    });
    await Promise.allSettled(writers);

    const second = await start();
    const again = await client(second);
    const names = await again.names(bucketId, { maxFileCount: 1000 });
    expect(names).toEqual(expect.arrayContaining(answered));
    for (const name of names) {
      const response = await again.download(`/file/killed-bucket/${name}`);
      expect(await response.text()).toBe(name.repeat(20_000));
    }
    expect(await blobs()).toHaveLength(names.length);
  });

  it("drops a line that was cut off, and contents that nothing refers to", async () => {
    const first = await startB2Emulator({ dataDirectory: directory });
    const master = await Client.authorize(first, first.applicationKeyId, first.applicationKey);
    const bucketId = await master.createBucket("torn-bucket");
    await master.put(bucketId, "a");
    await first.stop();
    await appendFile(join(directory, "journal.jsonl"), '{"type":"file","file":{"fileI');
    const [blob = ""] = await blobs();
    await writeFile(join(directory, "blobs", blob.slice(0, 2), "orphan"), "x");

    const second = await startB2Emulator({ dataDirectory: directory });
    master.token = (
      await Client.authorize(second, second.applicationKeyId, second.applicationKey)
    ).token;
    const again = new Client(second.url, second.accountId);
    again.token = master.token;
    expect(await again.names(bucketId)).toEqual(["a"]);
    await again.put(bucketId, "b");
    await second.stop();
    const third = await startB2Emulator({ dataDirectory: directory });
    const last = await Client.authorize(third, third.applicationKeyId, third.applicationKey);
    expect(await last.names(bucketId)).toEqual(["a", "b"]);
    expect(await blobs()).toHaveLength(2);
    await third.stop();
  });

  it("names the line of a damaged index, and can be opened once it is mended", async () => {
    await (await startB2Emulator({ dataDirectory: directory })).stop();
    const journal = join(directory, "journal.jsonl");
    await writeFile(journal, "not a change\n");
    await expect(startB2Emulator({ dataDirectory: directory })).rejects.toThrow(
      /journal\.jsonl:1: .*empty data folder/,
    );
    await writeFile(journal, "");
    await (await startB2Emulator({ dataDirectory: directory })).stop();
  });

  it("is for one emulator at a time", async () => {
    const first = await start();
    await expect(startB2Emulator({ dataDirectory: directory })).rejects.toThrow(/in use/);
    await kill(first, "SIGKILL");
    await (await startB2Emulator({ dataDirectory: directory })).stop();
  });

  it("does not grow with what was deleted, once it is opened again", async () => {
    const first = await startB2Emulator({ dataDirectory: directory });
    const master = await Client.authorize(first, first.applicationKeyId, first.applicationKey);
    const bucketId = await master.createBucket("busy-bucket");
    const { fileId } = await master.put(bucketId, "gone");
    await master.ok("delete_file_version", { fileId, fileName: "gone" });
    for (let batch = 0; batch < 24; batch += 1) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, index) =>
          master.ok("update_bucket", {
            accountId: master.accountId,
            bucketId,
            bucketInfo: { n: String(index) },
          }),
        ),
      );
    }
    await master.put(bucketId, "kept");
    await first.stop();
    const journal = join(directory, "journal.jsonl");
    const before = (await stat(journal)).size;
    const second = await startB2Emulator({ dataDirectory: directory });
    expect((await stat(journal)).size).toBeLessThan(before / 50);
    const again = await Client.authorize(second, second.applicationKeyId, second.applicationKey);
    expect(await again.names(bucketId)).toEqual(["kept"]);
    await second.stop();
  });

  it("holds secrets only where nobody else reads, and only the master's in clear", async () => {
    const emulator = await startB2Emulator({ dataDirectory: directory });
    const master = await Client.authorize(
      emulator,
      emulator.applicationKeyId,
      emulator.applicationKey,
    );
    const { applicationKey } = await master.ok("create_key", {
      accountId: master.accountId,
      keyName: "secret",
      capabilities: ["listFiles"],
    });
    await emulator.stop();
    for (const name of ["account.json", "journal.jsonl"]) {
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
      expect(await readFile(join(directory, name), "utf8")).not.toContain(applicationKey);
    }
  });
});
