/** Changes made by hand at the peer: every preview names them, one update puts them right. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { appendFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { derivePassword } from "../../credentials/derive.ts";
import { waitFor } from "../../sandbox/world.ts";
import { startCluster, type Cluster } from "./cluster.ts";

let cluster: Cluster;
let data: string;
let container: string;
let url: string;

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"]);
  const { dataDir, listen } = cluster.settings["fort-offsite:targets"]?.peer ?? {};
  data = String(dataDir);
  url = `http://${String(listen)}`;
  container = `${cluster.project}-rest-server-1`;
  await cluster.up();
}, 300_000);
afterAll(async () => {
  expect(await cluster.end()).toEqual([]);
}, 60_000);

const at = (...path: string[]) => join(data, ...path);
const compose = () => at("server", "compose.yaml");
const htpasswd = () => at("server", "auth", "htpasswd");

/** What a preview says of the peer, without what it says of each alike. */
async function findings(): Promise<{ said: string[]; updates: boolean }> {
  const { output, exitCode } = await cluster.stack.run(["preview"]);
  expect(exitCode, output).toBe(0);
  const diagnostics = output.slice(output.indexOf("Diagnostics:"));
  const said = [...diagnostics.matchAll(/warning: peer: (.*)$/gm)].map(([, text = ""]) =>
    text.replace(/; pulumi up puts it right$/, ""),
  );
  return { said: said.sort(), updates: /peer-server\s+update/.test(output) };
}

/** What the server answers to q: 404 is "yes, but there is no such repository". */
async function answer(generation?: number): Promise<number> {
  const owner = { at: "target", target: "peer", host: "q" } as const;
  const headers =
    generation === undefined
      ? {}
      : {
          authorization: `Basic ${Buffer.from(`q:${derivePassword(cluster.seed, owner, generation)}`).toString("base64")}`,
        };
  return (await fetch(`${url}/q/config`, { headers })).status;
}

async function expectRepaired(): Promise<void> {
  await cluster.up();
  expect(await answer(1)).toBe(404);
  expect(await answer()).toBe(401);
  const flags = await cluster.docker("inspect", "--format", "{{json .Config.Cmd}}", container);
  expect(flags).toContain('"--append-only","--private-repos"');
  const state = "{{.State.Health.Status}} {{.HostConfig.RestartPolicy.Name}}";
  expect(await cluster.docker("inspect", "--format", state, container)).toBe(
    "healthy unless-stopped",
  );
}

it("sees files, modes and a container that were changed, and puts them back", async () => {
  expect(await findings()).toEqual({ said: [], updates: false });
  await cluster.docker("stop", container);
  appendFileSync(compose(), "# tried something\n");
  truncateSync(htpasswd(), 10);
  chmodSync(compose(), 0o644);
  chmodSync(at("repositories"), 0o755);
  chownSync(at("server", "auth"), 0, 0);
  rmSync(at("server", "project"));
  expect(await findings()).toEqual({
    said: [
      "compose.yaml has the mode 0644, must be 0600",
      "compose.yaml was changed by hand",
      "htpasswd was changed by hand",
      "repositories/ has the mode 0755, must be 0700",
      "server/auth/ belongs to the user 0 and the group 0, must be 65532 and 65532",
      "the container is stopped",
      "the mark of ownership, server/project, is missing",
    ],
    updates: true,
  });
  await expectRepaired();
  expect(statSync(at("repositories")).mode & 0o777).toBe(0o700);
  expect(readFileSync(compose(), "utf8")).not.toContain("tried");
});

it("sees a container that is not what its file says, although the file is as it was", async () => {
  const original = readFileSync(compose());
  const image = await cluster.docker("commit", container, `${cluster.project}-other`);
  writeFileSync(
    compose(),
    original
      .toString()
      .replace(/image: .*/, `image: ${image}`)
      .replace(/ *- --append-only\n/, "")
      .replace("read_only: true\n    cap_drop", "read_only: false\n    cap_drop"),
  );
  await execa(
    "docker",
    ["compose", "--project-name", cluster.project, "-f", compose(), "up", "-d"],
    {
      env: { DOCKER_HOST: cluster.engine.host, DOCKER_CONFIG: cluster.engine.config },
    },
  );
  writeFileSync(compose(), original);
  await cluster.docker("update", "--memory=300m", "--memory-swap=600m", "--restart=no", container);
  await cluster.docker("pause", container);
  const { said, updates } = await findings();
  expect(updates).toBe(true);
  expect(said).toEqual([
    "THE SERVER RUNS WITHOUT --append-only: whoever may write to it can delete backups",
    "the container is paused",
    expect.stringMatching(/^the container runs another image than sha256:/),
    "the container's limit of memory is 300.0 MiB, must be 512.0 MiB",
    "the container's restart policy is no, must be unless-stopped",
    "the container's root file system's being read-only is false, must be true",
  ]);
  await expectRepaired();
});

it("sees what took the place of the server, of its files and of its directories", async () => {
  const image = await cluster.docker("inspect", "--format", "{{.Image}}", container);
  rmSync(at("server"), { recursive: true });
  renameSync(at("repositories"), at("repositories.old"));
  mkdirSync(at("repositories", "q"), { recursive: true });
  const others = `${cluster.project}-writer`;
  const run = ["run", "--detach", "--network=host", "--entrypoint=/usr/bin/rest-server"];
  const free = ["--no-auth", "--path=/data", "--listen=127.0.0.1:0"];
  await cluster.docker(...run, `--name=${others}`, `--volume=${data}:/data`, image, ...free);
  const label = [
    `--label=fort-offsite.door=${cluster.project}`,
    "--label=fort-offsite.door.until=9",
  ];
  await cluster.docker(...run, `--name=${others}-door`, ...label, image, ...free);
  expect(await findings()).toEqual({
    said: [
      `a door that prune opened is past its time and still there: ${others}-door`,
      "compose.yaml is missing",
      `files in repositories/ belong to somebody else or cannot be read by the server, such as ${at("repositories", "q")}`,
      "htpasswd is missing",
      "repositories/ belongs to the user 0 and the group 0, must be 65532 and 65532",
      "repositories/ has the mode 0755, must be 0700",
      `server/ is missing in ${data}. If a disk is not mounted there, mount it first: pulumi up makes it anew`,
      `the container ${others} is not fort-offsite's and may write to ${data}. pulumi up stops it`,
      `the container goes on in a directory that is no longer ${at("repositories")}`,
      `the container goes on in a directory that is no longer ${at("server", "auth")}`,
    ],
    updates: true,
  });
  await expectRepaired();
  const running = await cluster.docker("ps", "--format", "{{.Names}}");
  expect(running.split("\n")).toEqual([container]);
  await cluster.docker("rm", others);
});

it("tells an edit that was taken back, and no rotation, from what was installed", async () => {
  const original = readFileSync(htpasswd());
  writeFileSync(htpasswd(), "q:$2y$05$nobody\n");
  await cluster.docker("exec", container, "/bin/sh", "-c", "kill -HUP 1");
  await waitFor("The server's new credentials", async () => (await answer(1)) === 401);
  writeFileSync(htpasswd(), original);
  expect((await findings()).said).toEqual([
    "htpasswd was written to since it was installed: it is as it was, but the server may have loaded something else",
  ]);
  await expectRepaired();

  const { q } = cluster.settings["fort-offsite:hosts"] ?? {};
  const hosts = { ...cluster.settings["fort-offsite:hosts"], q: { ...q, generation: 2 } };
  cluster.stack.configure({ "fort-offsite:hosts": hosts });
  expect(await findings()).toEqual({ said: [], updates: true });
  await cluster.up();
  expect(await answer(1)).toBe(401);
  expect(await answer(2)).toBe(404);
  await cluster.stack.must(["preview", "--expect-no-changes"]);
});

it("goes on without a peer that cannot be reached, and looks at none when it is told not to", async () => {
  await cluster.docker("stop", container);
  cluster.stack.configure({ "fort-offsite:lookForDrift": false });
  expect(await findings()).toEqual({ said: [], updates: false });

  cluster.stack.configure({ "fort-offsite:lookForDrift": true });
  const listening = await execa("ss", ["-Hltnp", `sport = :${cluster.peer.port}`]);
  process.kill(Number(/pid=(\d+)/.exec(listening.stdout)?.[1]), "SIGTERM");
  const { said, updates } = await findings();
  expect(updates).toBe(false);
  expect(said).toEqual([expect.stringMatching(/^not looked at: .* cannot be reached: .*refused/)]);
});
