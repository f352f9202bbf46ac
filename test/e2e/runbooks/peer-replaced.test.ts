/** docs/runbooks/peer-replaced.md, followed to the letter at a second SSH server. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { listens, newSshKey, publicKey } from "../../../sandbox/peer.ts";
import { freePort, removeContainers, waitFor, type Daemon } from "../../../sandbox/world.ts";
import { ensurePrograms } from "../../../tools/index.ts";
import { Runbooks } from "./runbooks.ts";

const PAGE = "peer-replaced";

let runbooks: Runbooks;
/** The new machine's: its SSH port. */
let port: number;

beforeAll(async () => {
  runbooks = await Runbooks.open();
});

afterAll(async () => {
  expect(await runbooks.end()).toEqual([]);
});

/** Another machine's SSH server: with a host key of its own, for the same operator. */
async function startMachine(): Promise<Daemon> {
  const { world, peer } = runbooks.cluster;
  const folder = world.folder("ssh-new");
  const key = await newSshKey(join(folder, "host"), "new-peer", "ecdsa");
  expect(publicKey(key)).not.toBe(peer.hostKey);
  port = await freePort();
  const old = readFileSync(peer.sshdConfig, "utf8").split("\n");
  const lines = old.filter((line) => !/^(?:Include|ListenAddress|HostKey) /.test(line));
  const config = [`ListenAddress 127.0.0.1:${port}`, `HostKey ${key}`, ...lines].join("\n");
  const file = world.file("ssh-new/sshd_config", config);
  const sshd = (await ensurePrograms(["sshd"])).get("sshd")?.path ?? "sshd";
  const daemon = world.start("sshd-new", sshd, ["-D", "-e", "-f", file]);
  await waitFor("The new machine's start", () => listens(port), { failed: daemon.failure });
  return daemon;
}

/** The containers of a further target, at an engine that was there before. */
function clearContainersOf(target: string): void {
  const { world, engine, stack } = runbooks.cluster;
  const project = `fort-offsite-${stack.name}-${target}`;
  if (!engine.own) world.noteContainers(engine.host, project);
  world.cleanup.add("the new container", () => removeContainers(engine.host, project));
}

function settings(more: Readonly<Record<string, string>>): Record<string, string> {
  const { peer } = runbooks.cluster;
  const login = [
    `ssh -p ${port} -i ${peer.privateKeyFile} -o UserKnownHostsFile=/dev/null`,
    `-o StrictHostKeyChecking=no -o LogLevel=ERROR ${peer.user}@127.0.0.1`,
  ].join(" ");
  return {
    ...{ NEW_ADDRESS: "127.0.0.1", NEW_PORT: String(port), NEW_USER: peer.user, NEW_GIB: "1" },
    ...{ OLD_DATA: runbooks.shells.settings().PEER_DATA ?? "", NEW_LOGIN: `'${login}'` },
    ...more,
  };
}

it("takes a new machine in a dead one's place, and fills it from the hub", async () => {
  const { cluster, shells } = runbooks;
  const { engine, project, peer } = cluster;
  const data = shells.settings().PEER_DATA ?? "";
  await removeContainers(engine.host, project);
  rmSync(data, { recursive: true });
  await startMachine();
  const listen = `127.0.0.1:${await freePort()}`;
  await runbooks.follow(PAGE, {
    only: ["The new machine", "The old one is gone"],
    settings: settings({ NEW_LISTEN: listen }),
  });
  expect(existsSync(join(data, "repositories", "q", "config"))).toBe(true);
  const written = readFileSync(cluster.stack.configFile, "utf8");
  expect(written).toContain(`listen: ${listen}`);
  expect(written).toContain(`port: ${port}`);
  expect(written).not.toContain(peer.hostKey);
});

it("has a new machine beside an old one, and needs nothing from the hub for what was carried over", async () => {
  const { cluster } = runbooks;
  const data = join(cluster.world.directory, "barn");
  const { image } = cluster.settings["fort-offsite:targets"]?.peer ?? {};
  clearContainersOf("barn");
  const path = "fort-offsite:targets.barn.image";
  await cluster.stack.must(["config", "set", "--path", path, String(image)]);
  await runbooks.follow(PAGE, {
    only: ["The new machine", "The old one still runs", "Smoke test"],
    settings: settings({ NEW_LISTEN: `127.0.0.1:${await freePort()}`, NEW_DATA: data }),
    machines: { "the old peer": "peer" },
  });
  const { stdout } = await execa("diff", [
    ...["-r", join(settings({}).OLD_DATA ?? "", "repositories"), join(data, "repositories")],
  ]);
  expect(stdout).toBe("");
});

it("wipes an old machine whose target went elsewhere, its server first", async () => {
  const { cluster } = runbooks;
  expect(await cluster.docker("ps", "--format", "{{.Names}}")).toContain(cluster.project);
  await runbooks.follow(PAGE, {
    only: ["The old machine"],
    settings: settings({}),
    machines: { "the old peer": "peer" },
  });
  expect(await cluster.docker("ps", "--all", "--format", "{{.Names}}")).not.toContain(
    cluster.project,
  );
  expect(existsSync(settings({}).OLD_DATA ?? "")).toBe(false);
  expect(runbooks.unfollowed(PAGE)).toEqual([]);
});
