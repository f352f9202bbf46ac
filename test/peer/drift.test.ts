import { describe, expect, it } from "vitest";
import { SERVER_UID } from "../../peer/compose.ts";
import { driftOf, type Findings } from "../../peer/drift.ts";
import { parseFacts } from "../../peer/facts.ts";
import { composeText, releaseHashes, sha256, type PeerServer } from "../../peer/script.ts";

const server: PeerServer = {
  project: "fort-offsite-test-peer",
  dataDir: "/srv/fort-offsite",
  image: `sha256:${"1".repeat(64)}`,
  listen: { address: "10.0.0.9", port: 8000, wildcard: false },
  maxSizeGiB: 1,
  htpasswd: "q:$2y$05$hash\n",
};
const installed = { type: "rest-server", ...releaseHashes(server) } as const;
const NAME = `/${server.project}-rest-server-1`;

/** What Docker says of the container as compose makes it. */
const container = {
  Id: "c1",
  Name: NAME,
  Image: server.image,
  State: { Status: "running", Running: true, ExitCode: 0, Health: { Status: "healthy" } },
  Config: {
    Image: server.image,
    User: `${SERVER_UID}:${SERVER_UID}`,
    Entrypoint: ["/usr/bin/rest-server"],
    Cmd: [
      "--path=/data",
      "--htpasswd-file=/etc/rest-server/htpasswd",
      "--listen=10.0.0.9:8000",
      "--append-only",
      "--private-repos",
      `--max-size=${1024 ** 3}`,
    ],
    Env: ["PATH=/bin"],
    Labels: { "com.docker.compose.service": "rest-server" },
    Healthcheck: {
      Test: [
        "CMD",
        "/bin/sh",
        "-c",
        "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 10.0.0.9 8000 | grep -q '^HTTP/1.[01] 401'",
      ],
      Interval: 10e9,
      Timeout: 5e9,
      StartPeriod: 5e9,
      Retries: 3,
    },
  },
  HostConfig: {
    NetworkMode: "host",
    ReadonlyRootfs: true,
    CapAdd: null,
    CapDrop: ["ALL"],
    SecurityOpt: ["no-new-privileges:true"],
    RestartPolicy: { Name: "unless-stopped", MaximumRetryCount: 0 },
    Memory: 512 * 1024 ** 2,
    PidsLimit: 256,
    LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
  },
  Mounts: [
    { Type: "bind", Source: "/srv/fort-offsite/repositories", Destination: "/data", RW: true },
    {
      Type: "bind",
      Source: "/srv/fort-offsite/server/auth",
      Destination: "/etc/rest-server",
      RW: false,
    },
  ],
};

type Lines = Record<string, string | undefined>;

/** What a look prints of a server that is as it should be. */
const fine: Lines = {
  now: "1800000000",
  "path.data_dir": "directory|755|0|0|",
  "path.repositories": "directory|700|65532|65532|",
  "path.server": "directory|711|0|0|",
  "path.auth": "directory|500|65532|65532|",
  "path.htpasswd": "regular file|400|65532|65532|",
  "path.compose": "regular file|600|0|0|",
  "path.project": "regular file|600|0|0|",
  owner: server.project,
  ours: "yes",
  "sha256.compose": installed.compose,
  "sha256.htpasswd": installed.htpasswd,
  compose: Buffer.from(composeText(server)).toString("base64"),
  footprint: "yes",
  engine: "28.1.0",
  container: JSON.stringify(container),
  image: `c1 {"id":"${server.image}","env":null}`,
  running: "c1",
  answer: "nobody 401",
  free: String(1024 ** 4),
  end: "yes",
};

function look(change: Lines = {}, wanted = server, more: string[] = []): Findings {
  const lines = Object.entries({ ...fine, ...change }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  const facts = parseFacts([...more, ...lines].join("\n"));
  if (facts === undefined) throw new Error("not read");
  return driftOf(facts, wanted, { installed });
}

/** The fine container with something else in its place. */
function withContainer(part: "Config" | "HostConfig" | "State", change: object): Lines {
  const changed = { ...container, [part]: { ...container[part], ...change } };
  return { container: JSON.stringify(changed), changed: "container" };
}

describe("a look at a peer", () => {
  it("has nothing to say of a server that is as it was put there", () => {
    const nothing = { drift: [], manual: [], notices: [] };
    expect(look()).toEqual(nothing);
    expect(look({ changed: "container" })).toEqual(nothing);
  });

  it("is no look when it was cut off", () => {
    expect(parseFacts("now=1\nengine=28.1.0\n")).toBeUndefined();
  });

  it.each([
    [{ Status: "exited", Running: false }, "the container is stopped"],
    [{ Status: "paused" }, "the container is paused"],
    [
      { Status: "restarting", ExitCode: 2 },
      "the container does not stay up: it ends with 2 and is started again",
    ],
    [{ Health: { Status: "unhealthy" } }, "the server is unhealthy: it does not answer as it must"],
    [{ Status: "dead" }, "the container is dead, must be running"],
  ])("tells of a container in the state %o", (state, phrase) => {
    expect(look(withContainer("State", state)).drift).toEqual([phrase]);
  });

  it.each([
    [{ NetworkMode: "bridge" }, "network is bridge, must be host"],
    [{ Privileged: true }, "privilege is true, must be false"],
    [{ CapDrop: [] }, "list of dropped capabilities is empty, must be ALL"],
    [{ CapAdd: ["NET_ADMIN"] }, "list of added capabilities is NET_ADMIN, must be empty"],
    [{ SecurityOpt: null }, "list of security options is empty, must be no-new-privileges:true"],
    [{ Memory: 0 }, "limit of memory is 0 B, must be 512.0 MiB"],
    [{ PidsLimit: 0 }, "limit of processes is 0, must be 256"],
    [{ NanoCpus: 1e8 }, "limit of processor time is NanoCpus 100000000, must be none"],
  ])("tells of what docker alone was told: %o", (change, phrase) => {
    expect(look(withContainer("HostConfig", change)).drift).toEqual([`the container's ${phrase}`]);
  });

  it("tells of an image whose name stands for another one since", () => {
    const image = `c1 {"id":"sha256:${"2".repeat(64)}","env":null}`;
    expect(look({ image, changed: "image" }).drift).toEqual([
      `the container runs another image than ${server.image} stands for on that machine`,
    ]);
  });

  it("tells of flags, and first of those that protect the backups", () => {
    const Cmd = ["--path=/data", "--no-auth", "--debug"];
    expect(look(withContainer("Config", { Cmd })).drift).toEqual([
      "THE SERVER RUNS WITHOUT --append-only: whoever may write to it can delete backups",
      "THE SERVER RUNS WITHOUT --private-repos: every host may read and write all backups",
      "THE SERVER RUNS WITH --no-auth: it asks nobody for a credential",
      `the server runs without --htpasswd-file=/etc/rest-server/htpasswd --listen=10.0.0.9:8000 --max-size=${1024 ** 3}`,
      "the server runs with --debug",
    ]);
  });

  it.each(["--append-only=false", "--append-only=0"])("knows that the last %s counts", (flag) => {
    const Cmd = [...container.Config.Cmd, flag];
    expect(look(withContainer("Config", { Cmd })).drift).toEqual([
      "THE SERVER RUNS WITHOUT --append-only: whoever may write to it can delete backups",
    ]);
  });

  it("tells of a server that lets strangers in, whatever its flags", () => {
    const { drift } = look({ answer: "stranger 200" });
    expect(drift).toEqual([
      "THE SERVER LETS STRANGERS IN: it answered 200 to a stranger's credential, must be 401",
    ]);
  });

  it("leaves it to a person to move away what took a directory's place", () => {
    const { drift, manual } = look({ "path.repositories": "regular file|700|65532|65532|" });
    expect(drift).toEqual([]);
    expect(manual).toEqual([
      "repositories/ is a regular file, must be a directory. Move it away there, then run pulumi up",
    ]);
  });

  it("gives the way out of what no update can put right, and asks for no update", () => {
    const { drift, manual } = look({ address: "missing", boot: "disabled" });
    expect(drift).toEqual([]);
    expect(manual).toEqual([
      "the machine no longer has the address 10.0.0.9 that the server listens on. Bring it back there (is the tunnel up?), or correct listen; pulumi up cannot",
      "docker is disabled there: the server would not come back after a reboot. Let it start with: systemctl enable docker",
    ]);
    expect(look({ engine: "silent", container: undefined, running: undefined })).toMatchObject({
      drift: [],
      manual: [expect.stringContaining("systemctl enable --now docker")],
    });
  });

  it("asks for the disk to be mounted that the backups are on", () => {
    expect(look({ unmounted: "/srv" }).manual).toEqual([
      "the disk that /etc/fstab has for /srv is not mounted, and the backups are on it. Mount it there: mount /srv",
    ]);
  });

  it("leaves a directory alone whose mark and files are another server's", () => {
    const theirs = { owner: "fort-offsite-other-peer", ours: undefined };
    expect(look(theirs).manual).toEqual([
      expect.stringMatching(/server\/project, names fort-offsite-other-peer, and nothing there/),
    ]);
    expect(look({ owner: undefined }).drift).toEqual([
      "the mark of ownership, server/project, is missing",
    ]);
  });

  it("takes a change of the settings that is on its way for no drift, and looks through it", () => {
    const next = { ...server, maxSizeGiB: 2, htpasswd: "q:$2y$05$other\n" };
    expect(look({}, next).drift).toEqual([]);
    const slow = withContainer("HostConfig", { Memory: 1024 ** 2 });
    expect(look(slow, next).drift).toHaveLength(1);
    expect(
      look({ "sha256.htpasswd": sha256("x"), changed: "sha256.htpasswd" }, next).drift,
    ).toEqual(["htpasswd was changed by hand"]);
  });

  it("knows what an update put there that failed later on and left no record", () => {
    const theirs = { "sha256.htpasswd": sha256("put by it") };
    expect(look(theirs, { ...server, htpasswd: "q:$2y$05$third\n" }).drift).toEqual([]);
    // With no change on its way it is an old file that somebody brought back.
    expect(look(theirs).drift).toEqual(["htpasswd was changed by hand"]);
  });

  it("says that a door is open, and calls it a drift when its time is over", () => {
    expect(look({ door: "1800000060 /door" })).toEqual({
      drift: [],
      manual: [],
      notices: ["a door is open for prune until 2027-01-15T08:01:00.000Z"],
    });
    expect(look({ door: "1799999999 /door" }).drift).toHaveLength(1);
  });

  it("lets nothing from the peer steer the terminal", () => {
    const texts = look({ owner: "\u001b[2Jx", ours: undefined }).manual.join("");
    expect(texts).not.toContain("\u001b");
  });
});
