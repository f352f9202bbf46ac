import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseStackConfig } from "../../config/parse.ts";
import { InputError } from "../../config/problems.ts";
import { raw, validConfig } from "./valid.ts";

const parseIt = (config: Record<string, unknown>, isSecret = () => true) =>
  parseStackConfig(raw(config, isSecret), "prod");

function problemsOf(config: Record<string, unknown>, isSecret?: () => boolean): string[] {
  try {
    parseIt(config, isSecret);
  } catch (error) {
    if (error instanceof InputError) return error.message.split("\n").slice(1);
    throw error;
  }
  return [];
}

/** A valid config with one place set to something else. */
function withValue(path: string, value: unknown): Record<string, unknown> {
  const config = structuredClone(validConfig());
  const names = path.split(".");
  const last = names.pop() ?? "";
  const place = names.reduce<Record<string, unknown>>(
    (at, name) => at[name] as Record<string, unknown>,
    config,
  );
  if (value === undefined) Reflect.deleteProperty(place, last);
  else place[last] = value;
  return config;
}

describe("a valid config", () => {
  it("is accepted and completed with its defaults", () => {
    const config = parseIt(validConfig());
    expect(config.hosts.q).toMatchObject({ generation: 3, sizeGiB: 10 });
    expect(config.hosts.drhorrible?.generation).toBe(1);
    expect(config.targets.cloud).toMatchObject({ keepHiddenDays: 30, generation: 1 });
    expect(config.targets.peer).toMatchObject({ ssh: { port: 22, user: "root" } });
    expect(config.seal).toMatchObject({ manifest: false });
  });

  it("pins the server's image by digest when none is given", () => {
    expect(parseIt(validConfig()).targets.peer).toMatchObject({
      image: expect.stringMatching(/^restic\/rest-server:[0-9.]+@sha256:[0-9a-f]{64}$/) as string,
    });
  });

  it("leaves the settings of other programs alone", () => {
    const values = { ...raw(validConfig()).values, "b2:endpoint": "anything" };
    expect(() => parseStackConfig({ values, isSecret: () => true }, "prod")).not.toThrow();
  });

  it("may listen on every address when it says that this is meant", () => {
    const config = withValue("targets.peer.listen", "0.0.0.0:8000");
    const peer = (config.targets as Record<string, object>).peer;
    Object.assign(peer ?? {}, { expose: "any", url: "https://backup.example/" });
    expect(problemsOf(config)).toEqual([]);
  });
});

describe("a wrong config", () => {
  it.each([
    ["hosts.q.key", "ssh-dss AAAAB3", 'got "ssh-dss AAAAB3", must be an "ssh-ed25519" or "age1"'],
    ["hosts.q.key", "ssh-ed25519 AAAA", "must be an"],
    ["hosts.q.sizeGiB", 0, "got 0, must be more than 0"],
    ["hosts.q.generation", 1.5, "got 1.5, must be a whole number"],
    ["hosts.q.generation", 0, "must be at least 1"],
    ["hosts.q.sizeGiB", "10", 'got "10", must be a number'],
    ["hub.host", "nobody", "not among the hosts"],
    ["hub.url", "https://user:secret@x/", "must be an"],
    ["hub.repositories", "var/lib", "must be an absolute path"],
    ["hub.nonsense", 1, "is no known setting"],
    ["targets.cloud.bucket", "b2-mine", "must be a bucket name"],
    ["targets.cloud.bucket", "short", "must be a bucket name"],
    ["targets.cloud.keepHiddenDays", 0, "must be at least 1"],
    ["targets.cloud.region", "Europe", "a B2 region"],
    ["targets.cloud.type", "tape", 'must be "b2", "r2", "s3", "rest-server" or "sftp"'],
    ["targets.peer.listen", "0.0.0.0:8000", 'Set targets.peer.expose to "any"'],
    ["targets.peer.listen", "peer.example:8000", "must be an IP address and a port"],
    ["targets.peer.listen", "100.64.0.9:70000", "must be an IP address and a port"],
    ["targets.peer.dataDir", "/srv", "at least two levels deep"],
    ["targets.peer.dataDir", "/srv/../etc", "at least two levels deep"],
    ["targets.peer.dataDir", "/etc/ssh", "in none of the system's directories"],
    ["targets.peer.listen", "[::ffff:0.0.0.0]:8000", "must be an IP address and a port"],
    ["targets.peer.listen", "239.0.0.1:8000", "must be an IP address and a port"],
    ["targets.peer.url", "https://x/a'b$c", "must be an"],
    ["targets.peer.url", "https://x/?", "must be an"],
    ["hub.host", "constructor", "not among the hosts"],
    ["targets.peer.ssh.hostKey", "nonsense", "host key"],
    ["targets.peer.ssh.user", "Not A User", "must be a user name"],
    ["targets.peer.image", "not an image", "must be an image"],
    ["seal.format", "zip", 'must be "age" or "sops" or "plain"'],
    ["seal.directory", "..", "must be a path"],
    ["seal.operators", ["me"], "seal.operators.0"],
    ["credentialSeed", undefined, "got nothing, must be 32 random bytes"],
    ["credentialSeed", "0".repeat(64), "must be 32 random bytes"],
  ])("is refused at %s: %j", (path, value, words) => {
    const problems = problemsOf(withValue(path, value));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(words);
    expect(problems[0]).toContain(path);
  });

  it.each(["locks", "offsite-canary", "Upper", "-a", "a_b", "a".repeat(41)])(
    "is refused for a host named %s",
    (name) => {
      const config = validConfig();
      (config.hosts as Record<string, unknown>)[name] = (config.hosts as Record<string, unknown>).q;
      expect(problemsOf(config)[0]).toContain("must be a host name");
    },
  );

  it.each(["a-b", "1a", "A", "hub"])("is refused for a target named %s", (name) => {
    const config = validConfig();
    config.targets = { [name]: (config.targets as Record<string, unknown>).cloud };
    expect(problemsOf(config)[0]).toContain("must be a target name");
  });

  it("is refused when two targets share a bucket", () => {
    const config = validConfig();
    const targets = config.targets as Record<string, unknown>;
    targets.second = targets.cloud;
    expect(problemsOf(config)).toEqual([
      expect.stringContaining("targets.second.bucket: got") as string,
    ]);
  });

  it("is refused when two targets are reached at one URL", () => {
    const config = validConfig();
    const targets = config.targets as Record<string, Record<string, unknown>>;
    const peer = { ...targets.peer, url: "http://peer.example:8000" };
    const other = { listen: "100.64.0.10:8000", dataDir: "/srv/other", url: `${peer.url}/` };
    config.targets = { peer, other: { ...peer, ...other } };
    expect(problemsOf(config)).toEqual([
      expect.stringContaining("targets.other.url: got") as string,
    ]);
  });

  it("is refused when one target's directory is inside another's", () => {
    const config = validConfig();
    const targets = config.targets as Record<string, object>;
    targets.second = {
      ...targets.peer,
      listen: "100.64.0.9:8001",
      dataDir: "/srv/fort-offsite/server",
    };
    expect(problemsOf(config)).toEqual([
      expect.stringContaining("targets.second.dataDir: got") as string,
    ]);
  });

  it("is refused for a private key that needs a passphrase, which is not shown", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fort-offsite-test-"));
    const newKey = async (name: string, passphrase: string) => {
      const args = ["-q", "-t", "ed25519", "-N", passphrase, "-f", join(folder, name)];
      await execa("ssh-keygen", args);
      return readFileSync(join(folder, name), "utf8");
    };
    const [open, closed] = [await newKey("open", ""), await newKey("closed", "secret")];
    rmSync(folder, { recursive: true });
    expect(problemsOf({ ...validConfig(), sshPrivateKey: open })).toEqual([]);
    const problems = problemsOf({ ...validConfig(), sshPrivateKey: closed });
    expect(problems).toEqual([expect.stringContaining("that needs no passphrase") as string]);
    expect(problems[0]).not.toContain(closed.split("\n")[1]);
  });

  it("is refused when a secret stands in clear text, and does not show it", () => {
    const [problem, ...others] = problemsOf(validConfig(), () => false);
    expect(others).toEqual([]);
    expect(problem).toContain("credentialSeed: is in clear text");
    expect(problem).not.toContain(String(validConfig().credentialSeed));
  });

  it("never shows a secret that is wrong", () => {
    const seed = "not a seed but still a secret";
    const message = problemsOf(withValue("credentialSeed", seed)).join("\n");
    expect(message).toContain("got a secret of 29 characters");
    expect(message).not.toContain(seed);
  });

  it("is refused when its names make a key's name too long for B2", () => {
    const stack = "s".repeat(60);
    expect(() => parseStackConfig(raw(validConfig()), stack)).toThrow(/longer than the 100 char/);
  });

  it("is refused when clear text would be written outside the project", () => {
    const config = withValue("seal.format", "plain");
    expect(problemsOf(config)).toEqual([expect.stringContaining("clear text") as string]);
  });

  it("reports ten mistakes in ten lines", () => {
    const config = validConfig();
    Object.assign(config, {
      credentialSeed: "short",
      hub: { host: "Ursula", url: "ftp://x", repositories: "/var/lib/restic-repos" },
      surplus: true,
    });
    const hosts = config.hosts as Record<string, Record<string, unknown>>;
    Object.assign(hosts.q ?? {}, { key: "ssh-rsa AAAA", sizeGiB: -1 });
    const targets = config.targets as Record<string, Record<string, unknown>>;
    Object.assign(targets.cloud ?? {}, { bucket: "x", keepHiddenDays: "many" });
    Object.assign(targets.peer ?? {}, { listen: "0.0.0.0:8000", maxSizeGiB: null });
    expect(problemsOf(config).map((line) => line.trim().split(": ")[0])).toEqual([
      "credentialSeed",
      "hosts.q.key",
      "hosts.q.sizeGiB",
      "hub.host",
      "hub.url",
      "surplus",
      "targets.cloud.bucket",
      "targets.cloud.keepHiddenDays",
      "targets.peer.listen",
      "targets.peer.maxSizeGiB",
    ]);
  });

  it("gives an InputError for whatever is there, and nothing else", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("hub", "hosts", "targets", "seal", "credentialSeed", "surplus"),
        fc.jsonValue(),
        (key, value) => {
          const config = { ...validConfig(), [key]: value };
          try {
            parseIt(config);
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
          }
        },
      ),
    );
  });
});

describe("Pulumi.prod.yaml", () => {
  it("names the seven hosts and every place that its owner has to fill in", () => {
    const file = parse(readFileSync("Pulumi.prod.yaml", "utf8")) as {
      config: Record<string, unknown>;
    };
    const config = Object.fromEntries(
      Object.entries(file.config).map(([key, value]) => [key.replace("fort-offsite:", ""), value]),
    );
    expect(Object.keys(config.hosts as object)).toEqual([
      "drhorrible",
      "q",
      "ursula",
      "raishan",
      "joker",
      "lordhenry",
      "minos",
    ]);
    const problems = problemsOf(config);
    const placeholders = JSON.stringify(config).match(/<[^>]+>/g) ?? [];
    expect(problems.filter((problem) => problem.includes("<"))).toHaveLength(placeholders.length);
  });
});
