/** The pure parts of `offsite init`: drafts, answers, the stack's file, keys and passphrases. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readAnswers, withSettings } from "../../../cli/init/answers.ts";
import { at, problemAt, withValue } from "../../../cli/init/draft.ts";
import { fingerprint, parseAddress } from "../../../cli/init/host-key.ts";
import { opensWith } from "../../../cli/init/passphrase.ts";
import { proposeMaxSizeGiB, withProposals } from "../../../cli/init/proposals.ts";
import { readSettingsFile, settingsText } from "../../../cli/init/settings-file.ts";
import { makeSshKey, publicHalf } from "../../../cli/init/ssh-key.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "init-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function file(text: string): string {
  const name = join(folder, "Pulumi.test.yaml");
  writeFileSync(name, text);
  return name;
}

describe("a draft", () => {
  it("is judged at one place with the words of the preview, also against its other values", () => {
    expect(problemAt({ hub: { host: "Ursula" } }, ["hub", "host"], "prod")).toContain(
      'got "Ursula", must be a host name',
    );
    expect(problemAt({ hub: { host: "ursula" } }, ["hub", "host"], "prod")).toBeUndefined();
    const peers = { a: { dataDir: "/srv/x", ssh: { host: "h" } }, b: { ssh: { host: "h" } } };
    const nested = withValue({ targets: peers }, ["targets", "b", "dataDir"], "/srv/x/y");
    expect(problemAt(nested, ["targets", "b", "dataDir"], "prod")).toContain("inside the one of");
  });

  it("has guests where answers have some, and keeps them in the file", () => {
    const answers = file(
      "guests: { laptop: { key: age1x, maxSizeGiB: 100 } }\nhub: { guestsUrl: https://f.example }\n",
    );
    const { settings } = readAnswers(answers);
    expect(problemAt(settings, ["guests", "laptop", "key"], "prod")).toContain('"age1" public key');
    expect(problemAt(settings, ["guests", "laptop", "maxSizeGiB"], "prod")).toBeUndefined();
    const empty = file("");
    const text = settingsText(empty, readSettingsFile(empty), settings);
    expect(parse(text)).toEqual({
      config: { "fort-offsite:hub": settings.hub, "fort-offsite:guests": settings.guests },
    });
  });

  it("takes names that JavaScript has for itself, and names of digits, for what they are", () => {
    const draft = withValue(
      withValue({}, ["hosts", "__proto__", "key"], "x"),
      ["hosts", "12", "key"],
      "y",
    );
    expect(JSON.stringify(draft)).toBe('{"hosts":{"12":{"key":"y"},"__proto__":{"key":"x"}}}');
    expect(problemAt(draft, ["hosts", "__proto__"], "prod")).toContain("got the name");
    expect(withValue({ seal: {} }, ["seal", "operators", "0"], "z")).toEqual({
      seal: { operators: ["z"] },
    });
  });

  it("is filled in with what was there before, else with a proposal, and keeps what is given", () => {
    const given = {
      hosts: { q: { sizeGiB: 10 }, r: { sizeGiB: 0.1 } },
      targets: { peer: { type: "rest-server", dataDir: "/srv/mine", ssh: { host: "fd7a::9" } } },
    };
    const before = { targets: { peer: { maxSizeGiB: 77 } } };
    const { draft, proposed } = withProposals(given, before);
    const peer = given.targets.peer;
    expect(draft.targets).toEqual({ peer: { ...peer, listen: "[fd7a::9]:8000", maxSizeGiB: 77 } });
    expect(proposed.map((path) => path.at(-1))).toEqual(["listen", "maxSizeGiB"]);
    expect(proposeMaxSizeGiB(given)).toBe(40);
  });

  it("proposes no address to a server in a tunnel of its own", () => {
    const tunnel = { type: "wireguard", endpoint: "b.example:51820" };
    const peer = { type: "rest-server", ssh: { host: "10.0.0.2" }, tunnel };
    const before = { targets: { peer: { listen: "10.0.0.2:8000" } } };
    const { draft } = withProposals({ targets: { peer } }, before);
    expect(at(draft, ["targets", "peer"])).not.toHaveProperty("listen");
  });
});

describe("answers", () => {
  it("are taken from a file, with single settings over them", () => {
    const name = join(folder, "answers.yaml");
    writeFileSync(name, "stack: home\nhub: { host: ursula }\nfort-offsite:hosts: {}\n");
    const answers = readAnswers(name);
    expect(answers.options).toEqual({ stack: "home" });
    const sets = [
      "hub.url=https://x.example/?a=b",
      "hosts.q.sizeGiB=5",
      "hosts.q.key=ssh-ed25519 AAAA me",
    ];
    expect(withSettings(answers.settings, sets)).toEqual({
      hub: { host: "ursula", url: "https://x.example/?a=b" },
      hosts: { q: { sizeGiB: 5, key: "ssh-ed25519 AAAA me" } },
    });
    expect(() => withSettings({}, ["credentialSeed=1"])).toThrow(/must be a place and a value/);
  });

  it("never hold secrets, whose values are not repeated", () => {
    const name = join(folder, "secret.json");
    writeFileSync(name, '{"credentialSeed": "hush", "hubb": 1}');
    const read = () => readAnswers(name);
    expect(read).toThrow(
      /credentialSeed: does not belong into answers[\s\S]*hubb: is no known answer/,
    );
    expect(read).not.toThrow(/hush/);
  });
});

describe("a stack's file", () => {
  const filledIn = [
    "# ours, by hand",
    "encryptionsalt: v1:abc",
    "config:",
    "  b2:applicationKey:",
    "    secure: v1:x",
    "  fort-offsite:credentialSeed:",
    "    secure: v1:y",
    "  fort-offsite:hosts:",
    "    q: # the big one",
    "      key: age1xyz",
    "      sizeGiB: 10 # measured",
    "    12: { key: age1abc, sizeGiB: 1 }",
    "  other:thing: 5",
    "",
  ].join("\n");

  it("that is filled in changes where a setting changes, and nowhere else", () => {
    const name = file(filledIn);
    const before = readSettingsFile(name);
    expect(before).toMatchObject({ isFilledIn: true, salt: "v1:abc", exposed: [] });
    const other = { key: "age1abc", sizeGiB: 1 };
    expect(before.settings).toEqual({ hosts: { q: { key: "age1xyz", sizeGiB: 10 }, 12: other } });
    expect([...before.secrets]).toEqual(["b2:applicationKey", "fort-offsite:credentialSeed"]);
    expect(settingsText(name, before, before.settings)).toBe(filledIn);
    const grown = { hosts: { q: { key: "age1xyz", sizeGiB: 12 }, 12: other } };
    const changed = settingsText(name, before, grown);
    expect(changed).toContain("sizeGiB: 12 # measured\n");
    // The library moves a comment behind a name into a line of its own.
    const words = (text: string) => text.split(/\s+/);
    expect(words(changed)).toEqual(words(filledIn.replace("sizeGiB: 10", "sizeGiB: 12")));
  });

  it("that waits in angle brackets is not filled in, and says no more of them afterwards", () => {
    const name = file(readFileSync("Pulumi.prod.yaml", "utf8"));
    const before = readSettingsFile(name);
    expect(before.isFilledIn).toBe(false);
    expect(before.settings).toMatchObject({
      hub: { host: "ursula" },
      hosts: { q: { sizeGiB: 10 } },
    });
    const settings = { hub: { host: "h" }, hosts: { "12": { sizeGiB: 1 } } };
    const text = settingsText(name, before, settings);
    expect(text).not.toMatch(/[<>]/);
    expect(parse(text)).toEqual({
      config: { "fort-offsite:hub": settings.hub, "fort-offsite:hosts": settings.hosts },
    });
    const fresh = readSettingsFile(join(folder, "none.yaml"));
    expect(parse(settingsText(name, fresh, settings))).toEqual(parse(text));
  });

  it("with a seed in clear text says so, and does not hand it on", () => {
    const before = readSettingsFile(file("config:\n  fort-offsite:credentialSeed: 0123abcd\n"));
    expect(before.exposed).toEqual(["fort-offsite:credentialSeed"]);
    expect(JSON.stringify(before.settings)).not.toContain("0123abcd");
  });
});

describe("keys", () => {
  it("have the fingerprint that ssh-keygen shows, and the public half that it makes", async () => {
    const pair = await makeSshKey("a comment");
    const { stdout } = await execa("ssh-keygen", ["-lf", "-"], { input: pair.publicKey });
    expect(stdout.split(" ")[1]).toBe(fingerprint(pair.publicKey));
    expect(`${publicHalf(pair.privateKey) ?? ""} a comment`).toBe(pair.publicKey);
    expect(
      publicHalf("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
    ).toBeUndefined();
  });

  it("are asked for at addresses of every kind, and at nothing else", () => {
    expect(parseAddress("q.home:2222")).toEqual({ host: "q.home", port: 2222 });
    expect(parseAddress("[fd7a::9]:22")).toEqual({ host: "fd7a::9", port: 22 });
    expect(parseAddress("fd7a::9")).toEqual({ host: "fd7a::9", port: 22 });
    for (const wrong of ["-oProxyCommand=x", "q:0", "q:70000", "a b", "", "q;id"]) {
      expect(parseAddress(wrong)).toBeUndefined();
    }
  });
});

describe("a passphrase", () => {
  it("is known by the salt that Pulumi keeps, which is the same here", async () => {
    const state = join(folder, "state");
    await execa("mkdir", [state]);
    writeFileSync(join(folder, "Pulumi.yaml"), "name: x\nruntime: nodejs\n");
    const env = {
      PULUMI_BACKEND_URL: `file://${state}`,
      PULUMI_HOME: join(folder, "home"),
      PULUMI_CONFIG_PASSPHRASE: "correct horse ünd",
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
    await execa("pulumi", ["stack", "init", "salty", "--non-interactive"], { cwd: folder, env });
    const { salt = "" } = readSettingsFile(join(folder, "Pulumi.salty.yaml"));
    expect(await opensWith(salt, env.PULUMI_CONFIG_PASSPHRASE)).toBe(true);
    expect(await opensWith(salt, "correct horse und")).toBe(false);
    expect(await opensWith("v9:unknown", "x")).toBeUndefined();
  });
});
