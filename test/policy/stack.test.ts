/** The rules that look at a stack as a whole: its places, its hosts, its bundle. */
import { describe, expect, it } from "vitest";
import { judge } from "../../policy/judge.ts";
import type { ResourceFacts } from "../../policy/model.ts";
import { asRoot } from "../../peer/script.ts";
import * as types from "../../policy/types.ts";
import { MASKED, UNKNOWN } from "../../policy/values.ts";
import {
  b2Target,
  bundle,
  compose,
  peerCommand,
  sftpTarget,
  fact,
  goodStack,
  HOSTS,
  peer,
  r2Target,
  target,
  told,
  toldOf,
  withResources,
} from "./facts.ts";

/** What is told of targets without what a stack has beside them. */
const ofPlaces = (...resources: ResourceFacts[]) =>
  judge([...resources, bundle()]).filter(({ rule }) => rule === "two-kinds-of-places");

const at = (type: string, name: string, host: string) =>
  target(type, name, {
    ...(type === "Sftp" ? { host } : { url: `https://${host}:8000/` }),
  });
const s3 = (name: string, endpoint: string) => target("S3", name, { endpoint });

describe("the places of the copies", () => {
  it.each<[string, ResourceFacts[]]>([
    ["none", []],
    ["one", [peer()]],
    ["one cloud", b2Target()],
    ["two buckets at one company", [...b2Target(), ...b2Target("second")]],
    [
      "two buckets at one company, one by its S3 address",
      [...b2Target(), s3("second", "https://s3.eu-central-003.backblazeb2.com")],
    ],
    [
      "two at Cloudflare",
      [...r2Target(), s3("third", `https://${"a".repeat(32)}.r2.cloudflarestorage.com`)],
    ],
    [
      "two servers of one kind",
      [at("RestServer", "brother", "10.0.0.1"), at("RestServer", "sister", "10.0.0.2")],
    ],
    [
      "two kinds of server on one machine",
      [at("RestServer", "peer", "10.0.0.1"), at("Sftp", "files", "10.0.0.1")],
    ],
    [
      "a server, and an S3 on the same machine",
      [at("RestServer", "peer", "10.0.0.1"), s3("minio", "http://10.0.0.1:9000")],
    ],
  ])("that are %s are an error", (_, resources) => {
    const [finding] = ofPlaces(...resources);
    expect(finding).toMatchObject({ severity: "error", subject: "targets" });
  });

  it("that are a cloud and a machine are well", () => {
    expect(ofPlaces(...b2Target(), peer())).toEqual([]);
    expect(
      ofPlaces(s3("cloud", "https://s3.wasabisys.com"), at("Sftp", "files", "10.0.0.1")),
    ).toEqual([]);
  });

  it("that are two clouds, or two machines of people, are a warning", () => {
    expect(told(ofPlaces(...b2Target(), ...r2Target()))).toEqual([
      "warning two-kinds-of-places targets",
    ]);
    const machines = [at("RestServer", "peer", "10.0.0.1"), at("Sftp", "files", "10.0.0.2")];
    expect(told(ofPlaces(...machines))).toEqual(["warning two-kinds-of-places targets"]);
  });

  it("of which two are one and the same are a warning beside a third", () => {
    expect(told(ofPlaces(...b2Target(), ...b2Target("second"), peer()))).toEqual([
      "warning two-kinds-of-places second",
    ]);
  });

  it("that somebody else made are a warning, for no preview shows them", () => {
    expect(toldOf(s3("minio", "https://minio.example"))).toEqual(["warning made-elsewhere minio"]);
  });
});

describe("what a peer's server is put there with", () => {
  it("is a warning where it is not protected, for the change is to be seen by itself", () => {
    const command = (name: string) => ({ ...peerCommand(name), protect: false });
    const sftp = "warning peer-append-only files";
    expect(toldOf(sftpTarget(), peerCommand("files-directory"))).toEqual([sftp]);
    expect(toldOf(sftpTarget(), command("files-directory"), command("peer-server"))).toEqual([
      sftp,
      "warning data-protected files",
      "warning data-protected peer",
    ]);
  });
});

describe("what runs on a peer", () => {
  const rule = "error peer-gets-what-is-shown";
  const script = (text: string) => `compose_b64='${Buffer.from(text).toString("base64")}'\nrun\n`;

  it("is an error where it is not the installation", () => {
    for (const change of [
      { create: "sh -c id" },
      { update: `${asRoot("install")}; id` },
      { delete: "id" },
    ]) {
      expect(toldOf(peerCommand("peer-server", change))).toEqual([`${rule} peer`]);
    }
    expect(
      toldOf(peerCommand("peer-server", { update: `${asRoot("install")} repair-20261123T1` })),
    ).toEqual([]);
  });

  it("is an error where other files are sent than those that are shown, as far as can be seen", () => {
    const sent = (text: string) => peerCommand("peer-server", { stdin: script(text) });
    expect(toldOf(sent(compose()))).toEqual([]);
    expect(toldOf(sent(compose().replace("--append-only", "--debug")))).toEqual([`${rule} peer`]);
  });

  it("is an error where nothing does, and a warning where it is none of the program's", () => {
    const stack = goodStack().filter(({ type }) => type !== types.REMOTE_COMMAND);
    expect(told(judge(stack))).toEqual([`${rule} peer`]);
    expect(toldOf(peerCommand("peer-helper"))).toEqual([
      'warning peer-gets-what-is-shown the command "peer-helper"',
    ]);
  });
});

describe("a resource that no rule knows", () => {
  it("is a warning", () => {
    for (const type of ["aws:s3/bucket:Bucket", "cloudflare:index/r2BucketSippy:R2BucketSippy"]) {
      expect(toldOf(fact(type, "other", {}))).toEqual([
        'warning known-resources the resource "other"',
      ]);
    }
    expect(toldOf(fact(types.LOCAL_COMMAND, "other", { create: "id" }))).toEqual([
      'warning known-resources the command "other"',
    ]);
    expect(
      toldOf(fact("pulumi:pulumi:Stack", "s", {}), fact("pulumi:providers:b2", "p", {})),
    ).toEqual([]);
  });
});

describe("a host", () => {
  const rule = "error no-host-left-out";
  const without = (name: string, host: string): ResourceFacts[] =>
    goodStack()
      .filter((each) => each.name === name)
      .map((each) => {
        const manifest = structuredClone(each.inputs.manifest) as { repositories: object };
        Reflect.deleteProperty(manifest.repositories, host);
        return { ...each, inputs: { ...each.inputs, manifest } };
      });

  it.each(["peer", "cloud"])("without a repository at %s is an error", (name) => {
    expect(toldOf(...without(name, "q"))).toEqual([`${rule} ${name}`]);
  });

  it("that no target knows is an error at each of them", () => {
    const findings = judge(withResources(bundle([...HOSTS, "minos"])));
    expect(told(findings)).toEqual([`${rule} peer`, `${rule} cloud`]);
    expect(findings.some(({ message }) => message.includes("cloud-restore-minos-g"))).toBe(true);
  });

  it("that the bundle does not know is an error", () => {
    expect(toldOf(bundle(["ursula"]))).toEqual([`${rule} q`]);
  });

  it("without a key to restore with is an error", () => {
    const stack = goodStack().filter(({ name }) => name !== "cloud-restore-q-g1");
    expect(told(judge(stack))).toEqual([`${rule} cloud`]);
  });

  it("that shares its repository with another is an error", () => {
    const shared = peer();
    const manifest = { repositories: { q: "rest:http://x/all/", ursula: "rest:http://x/all/" } };
    expect(toldOf({ ...shared, inputs: { ...shared.inputs, manifest } })).toContain(`${rule} peer`);
  });

  it("whose name is one of JavaScript's own is left out all the same", () => {
    expect(toldOf(bundle([...HOSTS, "constructor"]))).toContain(`${rule} peer`);
  });

  it.each([undefined, MASKED, UNKNOWN, { repositories: MASKED }])(
    "of a target whose manifest is %j may be left out, which is an error",
    (manifest) => {
      const blind = peer();
      expect(toldOf({ ...blind, inputs: { ...blind.inputs, manifest } })).toContain(`${rule} peer`);
    },
  );

  it("that cannot be seen in the bundle is looked for at the other targets", () => {
    const stack = withResources(bundle(MASKED), ...without("peer", "q"));
    expect(told(judge(stack))).toEqual([`${rule} peer`, "warning no-host-left-out the bundle"]);
  });
});

describe("the bundle", () => {
  const file = (name: string, FORMAT: string) =>
    fact(types.LOCAL_COMMAND, name, {
      interpreter: ["/bin/sh", "components/seal.sh"],
      environment: { FORMAT },
    });

  it("is an error, once, where it is not encrypted; its public files need not be", () => {
    const files = ["hosts/q.env", "hub.htpasswd"].map((name) => file(name, "plain"));
    expect(judge(withResources(...files, file("offsite.json", "public")))).toHaveLength(1);
    expect(toldOf(...files)).toEqual(["error bundle-sealed the bundle"]);
    expect(toldOf(file("offsite.json", "public"), file("hosts/q.env", "age"))).toEqual([]);
  });
});
