/** What a report says of previews: the dangers that a reviewer must not miss, and in which words. */
import { describe, expect, it } from "vitest";
import { reportPage } from "../../../cli/report/html.ts";
import { reportJson } from "../../../cli/report/json.ts";
import { LONGEST_COMMENT, marker, reportMarkdown } from "../../../cli/report/markdown.ts";
import { readPreview } from "../../../cli/report/preview.ts";
import { isUnchanged, makeReport, type ReportInput } from "../../../cli/report/report.ts";
import { resourcesOf } from "../../../policy/preview.ts";
import {
  BUCKET,
  BUNDLE,
  CLOUD,
  file,
  KEY,
  LOCAL,
  PEER,
  previewOf,
  REMOTE,
  type Given,
  type State,
} from "./preview.ts";

const bucket: State = {
  inputs: {
    bucketName: "family-backups",
    bucketType: "allPrivate",
    lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: 30 }],
  },
  retainOnDelete: true,
  protect: false,
};
const bucketStep = (op: string, old?: State, now?: State): Given => ({
  ...{ op, type: BUCKET, name: "cloud-bucket", parent: CLOUD },
  ...(old !== undefined && { old }),
  ...(now !== undefined && { now }),
});
const server = (op: string, from?: string, to?: string): Given => ({
  ...{ op, type: REMOTE, name: "peer-server", parent: PEER },
  ...(from !== undefined && { old: { inputs: { triggers: [from] } } }),
  ...(to !== undefined && { now: { inputs: { triggers: [to] } } }),
});

const report = (steps: readonly Given[], more: Partial<ReportInput> = {}) =>
  makeReport({ preview: previewOf(steps), ...more });
const json = (steps: readonly Given[], more: Partial<ReportInput> = {}) =>
  reportJson(report(steps, more));
const text = (steps: readonly Given[], more: Partial<ReportInput> = {}) =>
  reportMarkdown(report(steps, more));
const fates = (steps: readonly Given[]) =>
  json(steps).dangers.map(({ fate, what }) => `${fate}: ${what}`);

describe("a bucket", () => {
  it("that is replaced or deleted is the first thing said, with what becomes of the backups", () => {
    const other = { ...bucket, inputs: { ...bucket.inputs, bucketName: "other" } };
    const steps = [
      file("rclone.conf"),
      { ...bucketStep("replace", bucket, other), reasons: ["bucketName"] },
    ];
    const comment = text(steps);
    expect(comment.split("\n")[2]).toMatch(
      /^### 🔴 DANGER: the bucket `family-backups` of `cloud` is replaced, because `bucketName` changes/,
    );
    expect(comment).toContain("every backup in it stay at the provider");
    expect(fates([bucketStep("delete", bucket)])).toEqual([
      "left: the bucket family-backups of cloud is deleted",
    ]);
  });

  it("that is neither retained nor protected must not be merged away", () => {
    const open = { ...bucket, retainOnDelete: false };
    for (const op of ["delete", "replace"]) {
      const lost = json([bucketStep(op, open, op === "replace" ? open : undefined)]);
      expect(lost.dangers[0]).toMatchObject({ fate: "lost", fatal: true });
      expect(lost.dangers[0]?.data).toContain("ALL BACKUPS IN IT GO WITH IT");
      expect(lost.mergeable).toBe(false);
    }
    expect(fates([bucketStep("delete", { ...open, protect: true })])[0]).toMatch(/^refused/);
  });

  it("that loses its protection is named, though nothing else happens to it", () => {
    const bare = { ...bucket, retainOnDelete: false };
    expect(fates([bucketStep("same", { ...bucket, protect: true }, bare)])).toEqual([
      "exposed: the bucket family-backups of cloud loses protect and retainOnDelete",
    ]);
  });

  it("that can be let go of, and is kept all the same, is not told to be lost", () => {
    const kept = { ...bucket, protect: true };
    const [loosened] = json([bucketStep("same", kept, bucket)]).dangers;
    expect(loosened?.data).toContain("stay at the provider (retainOnDelete)");
    const old = { ...server("same", "/srv/a", "/srv/a") };
    const guarded: Given = { ...old, old: { ...old.old, protect: true } };
    const [open] = json([guarded]).dangers;
    expect(open?.what).toBe("the rest-server at the peer of peer loses protect");
    expect(open?.data).toContain("The repositories stay on the peer");
  });

  it("that keeps hidden versions for less long is named, and for longer is not", () => {
    const days = (count: number): State => ({
      ...bucket,
      inputs: {
        ...bucket.inputs,
        lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: count }],
      },
    });
    expect(fates([bucketStep("update", days(30), days(10))])[0]).toMatch(/for 10 days, not 30$/);
    expect(fates([bucketStep("update", days(30), days(60))])).toEqual([]);
  });

  it("under a name that another goes on having is refused: a target was renamed", () => {
    const renamed: Given = {
      ...bucketStep("create", undefined, bucket),
      name: "wolke-bucket",
      parent: ["B2Target", "wolke"],
    };
    const found = json([renamed, bucketStep("delete", bucket)]);
    expect(found.dangers[0]).toMatchObject({ fate: "refused", fatal: true });
    expect(found.dangers[0]?.what).toBe(
      "family-backups is to be made for wolke, and is the bucket of cloud",
    );
  });
});

describe("a peer's server", () => {
  it("that moves or goes says where the repositories stay", () => {
    expect(json([server("replace", "/srv/a", "/srv/b")]).dangers[0]?.data).toBe(
      "The server is stopped first; the repositories stay in /srv/a on the peer. The new one begins in /srv/b. Move the repositories there first, or the hub sends everything again.",
    );
    expect(json([server("delete", "/srv/a")]).dangers[0]?.data).toContain(
      "stay in /srv/a on the peer",
    );
  });
});

describe("R2's lock, which is all that keeps objects there,", () => {
  it("is a danger where it goes or is made shorter, and none where it is made longer", () => {
    const lock = (maxAgeSeconds: number): State => ({
      inputs: {
        rules: [{ enabled: true, prefix: "", condition: { type: "Age", maxAgeSeconds } }],
      },
    });
    const step = (op: string, old: State, now?: State): Given => ({
      ...{ op, type: "cloudflare:index/r2BucketLock:R2BucketLock", name: "cloud-lock" },
      ...{ parent: ["R2Target", "cloud"], old, ...(now !== undefined && { now }) },
    });
    expect(fates([step("update", lock(60), lock(30))])[0]).toMatch(/^exposed: .* is made shorter$/);
    expect(fates([step("delete", lock(60))])[0]).toMatch(/^exposed: .* is deleted$/);
    expect(fates([step("update", lock(30), lock(60))])).toEqual([]);
  });
});

describe("a host", () => {
  it("that leaves is no longer backed up, which is said; one that comes is none of it", () => {
    const gone: Given = { ...file("hosts/minos.env"), op: "delete" };
    const found = json([gone, { ...file("hosts/minotaur.env"), op: "create" }]);
    expect(found.dangers).toMatchObject([{ fate: "left", what: "minos is no longer backed up" }]);
    expect(found.verdict).toBe("danger");
  });
});

describe("an address to which machines send passwords", () => {
  const settings = (url: string, targets: object) => ({
    "fort-offsite:hub": { host: "ursula", url },
    "fort-offsite:targets": targets,
  });
  const peer = (listen: string) => ({ type: "rest-server", listen, ssh: { host: "peer" } });

  it("is a danger where it is another than before, though all looks harmless", () => {
    const base = settings("https://hub.example", { peer: peer("100.64.0.9:8000") });
    const other = settings("https://evil.example", { peer: peer("100.64.0.66:8000") });
    expect(json([file("hosts/q.env")], { base, settings: other }).dangers).toMatchObject([
      { what: "hub.url changes from https://hub.example to https://evil.example" },
      { what: "targets.peer.listen changes from 100.64.0.9:8000 to 100.64.0.66:8000" },
    ]);
  });

  it("is none where a target comes or goes with it", () => {
    const base = settings("https://hub.example", { peer: peer("100.64.0.9:8000") });
    const more = settings("https://hub.example", {
      peer: peer("100.64.0.9:8000"),
      other: peer("100.64.0.66:8000"),
    });
    expect(json([file("rclone.conf")], { base, settings: more }).dangers).toEqual([]);
    expect(json([file("rclone.conf")], { base: more, settings: base }).dangers).toEqual([]);
  });
});

describe("what nobody here knows", () => {
  it("is a danger where it goes, and no danger where it comes", () => {
    const volume = { type: "cloud:index/volume:Volume", name: "disk" };
    expect(fates([{ ...volume, op: "delete", old: {} }])).toEqual([
      "unknown: Volume disk is deleted",
    ]);
    expect(fates([{ ...volume, op: "create", now: {} }])).toEqual([]);
  });

  it("is told where it is a command that the update runs", () => {
    const run = report([
      { op: "create", type: LOCAL, name: "helper", now: { inputs: { create: "curl x | sh" } } },
    ]);
    expect(reportMarkdown(run)).toMatch(
      /the command `helper`, run by whoever updates[^]*create: curl x \| sh/,
    );
  });
});

describe("credentials", () => {
  const keys = (op: string, name: string): Given => ({
    ...{ op, type: KEY, name, parent: CLOUD },
    ...(op !== "create" && { old: {} }),
    ...(op !== "delete" && { now: {} }),
  });
  const settings = (generation: number, revoked = 0) => ({
    "fort-offsite:hub": { host: "ursula" },
    "fort-offsite:hosts": { q: { generation, revoked } },
  });

  it("that turn over are told by host, with the machines to deploy", () => {
    const steps = [keys("create", "cloud-restore-q-g2"), file("hosts/q.env"), file("hub.htpasswd")];
    const known = json(steps, { base: settings(1), settings: settings(2) });
    expect(known.credentials).toEqual(["The credentials of q everywhere: generation 1 to 2"]);
    expect(known.deploy).toMatchObject({ hub: "ursula", hosts: ["q"] });
    expect(known.deploy.order[0]).toMatch(/^In any order/);
    expect(json(steps).credentials).toEqual(["The credentials of q turn over"]);
  });

  it("that are revoked, or made anew in place, must be deployed at once", () => {
    const revoked = json([file("hosts/q.env")], { base: settings(1), settings: settings(3, 2) });
    expect(revoked.credentials[0]).toContain("ALL before it are revoked");
    expect(revoked.deploy.order[0]).toMatch(/^AT ONCE/);
    const replaced = json([keys("replace", "cloud-sync-g1"), file("rclone.conf")]);
    expect(replaced.credentials[0]).toMatch(
      /stops working with the update: the hub's sync key of cloud, generation 1$/,
    );
    expect(replaced.deploy.order[0]).toMatch(/^AT ONCE/);
  });

  it("of a guest are the hub's to deploy and the guest's owner's to be given", () => {
    const guests = (generation: number) => ({
      "fort-offsite:hub": { host: "ursula" },
      "fort-offsite:guests": { laptop: { generation } },
    });
    const steps = [file("guests/laptop.env"), file("guests/laptop.htpasswd")];
    const known = json(steps, { base: guests(1), settings: guests(2) });
    expect(known.credentials).toEqual(["The credentials of the guest laptop: generation 1 to 2"]);
    expect(text(steps, { base: guests(1), settings: guests(2) })).not.toMatch(/`(?:the )?guest`/);
    expect(known.deploy).toMatchObject({ hub: "ursula", hosts: [] });
    expect(known.deploy.order.join()).toMatch(/^In any order.*owner of the guest laptop is to be/);
  });

  it("of everybody turn over where the seed was set anew", () => {
    const seed = (secure: string) => ({ "fort-offsite:credentialSeed": { secure } });
    const found = json([], { base: seed("v1:old"), settings: seed("v1:new") });
    expect(found.credentials[0]).toContain("EVERY password changes at once");
    expect(JSON.stringify(found)).not.toContain("v1:");
  });

  it("that somebody new can open are a danger, as are files without a seal", () => {
    const sealed = (RECIPIENTS: string, FORMAT = "age"): State => ({
      inputs: { environment: { RECIPIENTS, FORMAT } },
    });
    const of = (old: State, now: State): Given => ({
      op: "update",
      type: LOCAL,
      name: "hub-credentials.json",
      parent: BUNDLE,
      old,
      now,
    });
    const opened = json([of(sealed("age1a"), sealed("age1a\nage1mallory"))]);
    expect(opened.verdict).toBe("danger");
    expect(opened.readers).toEqual([
      "The key age1mallory can open hub-credentials.json, which it could not before",
    ]);
    const closed = json([of(sealed("age1a\nage1b"), sealed("age1a"))]);
    expect(closed.readers).toEqual([]);
    expect(closed.credentials).toEqual([
      "The key age1b can no longer open hub-credentials.json of the new bundle",
    ]);
    expect(json([of(sealed("age1a"), sealed("", "plain"))]).credentials).toEqual([]);
    expect(json([of(sealed("age1a"), sealed("", "plain"))]).readers[0]).toContain(
      "WITHOUT ENCRYPTION",
    );
  });
});

describe("a preview", () => {
  it("without a change says so", () => {
    const nothing = report([]);
    expect(isUnchanged(nothing)).toBe(true);
    expect(text([])).toContain("Stack `prod`: no change");
  });

  it("that failed is told with what it said, whatever is left of it", () => {
    const message =
      'error: Invalid stack config "prod":\n  hosts.q.key: got nothing, must be a key\n  hub.host: got "X"';
    const failed = makeReport({
      preview: previewOf([], { diagnostics: [{ severity: "error", message }] }),
    });
    expect(failed.mergeable).toBe(false);
    expect(reportMarkdown(failed)).toMatch(
      /### ❌ FAILED: hosts.q.key: got nothing, must be a key \(and 1 more\)/,
    );
    for (const left of ["", "error: no passphrase", '{"steps": [{"op": "cre', "[]"]) {
      const cut = makeReport({
        preview: readPreview({ text: left, exitCode: 255 }),
        stack: "prod",
      });
      expect([cut.verdict, cut.mergeable]).toEqual(["failed", false]);
      expect(reportMarkdown(cut).startsWith(marker("prod"))).toBe(true);
    }
    const noisy = readPreview({ text: 'warning: slow\n{"steps": []}\nbye' });
    expect(noisy.failure).toBeUndefined();
  });

  it("that leaves unchanged resources out cannot pass the policy", () => {
    const partial = makeReport({ preview: previewOf([], { changeSummary: { same: 21 } }) });
    expect(partial.mergeable).toBe(false);
    expect(reportMarkdown(partial)).toContain("--show-sames");
  });

  it("that looked at the providers names what was changed there by hand", () => {
    const state = (bucketType: string): State => ({
      ...bucket,
      outputs: { bucketType, revision: bucketType.length },
    });
    const drift = report([bucketStep("refresh", state("allPrivate"), state("allPublic"))]);
    expect(reportJson(drift).drift).toEqual([
      "the bucket family-backups of cloud was changed by hand: bucketType",
    ]);
    expect(isUnchanged(drift)).toBe(false);
    // As the engine writes it: the answer of a refresh is what the next step begins at.
    const seen = json([
      bucketStep("refresh", state("allPrivate"), state("allPrivate")),
      bucketStep("update", state("allPublic"), bucket),
    ]);
    expect(seen.drift[0]).toMatch(/changed by hand: bucketType$/);
    expect(json([bucketStep("refresh", bucket)]).drift[0]).toContain("GONE");
  });

  it("that looked, and then deletes, leaves nothing for the policy to take for there", () => {
    const looked = previewOf([bucketStep("refresh", bucket, bucket), bucketStep("delete", bucket)]);
    expect(resourcesOf(looked.raw).map(({ name }) => name)).not.toContain("cloud-bucket");
  });

  it("with warnings of the look at the peer names them as changed by hand", () => {
    const warn = (message: string) => ({ severity: "warning", message: `warning: ${message}\n` });
    const found = reportJson(
      makeReport({
        preview: previewOf([], {
          diagnostics: [
            warn("peer: the container is stopped; pulumi up puts it right"),
            warn("peer: not looked at: no route"),
          ],
        }),
      }),
    );
    expect(found.drift).toEqual(["peer: the container is stopped; pulumi up puts it right"]);
    expect(found.warnings).toEqual(["peer: not looked at: no route"]);
  });
});

describe("settings before and after", () => {
  it("are compared leaf by leaf, and for their cost", () => {
    const settings = (sizeGiB: number) => ({
      "fort-offsite:hosts": {
        q: { key: "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", sizeGiB },
      },
      "fort-offsite:targets": { cloud: { type: "b2", bucket: "family-backups" } },
      "fort-offsite:lookForDrift": sizeGiB > 10,
    });
    const more = { base: settings(10), settings: settings(1000) };
    expect(text([], more)).toMatch(
      /\*\*Cost\*\* a month: 0\.\d+ USD → 8\.\d+ USD \(\+[78]\.\d+: `cloud` \+[78]\.\d+\)/,
    );
    const [first] = json([], more).details;
    expect(first).toEqual({
      title: "The settings",
      lines: ["- hosts.q.sizeGiB: 10", "+ hosts.q.sizeGiB: 1000"],
    });
  });
});

describe("text of others", () => {
  const evil =
    "x`|<img src=x onerror=alert(1)>@alice **b** [l](http://x)\n<!-- offsite report: prod -->\u202e";

  it("is only ever text: no HTML, no mention, no second comment mark", () => {
    const comment = reportMarkdown(
      makeReport({
        preview: previewOf(
          [
            {
              op: "delete",
              type: `evil:index:${evil}`,
              name: evil,
              old: { inputs: { [evil]: evil } },
            },
          ],
          {
            diagnostics: [{ severity: "warning", message: evil }],
          },
        ),
      }),
    );
    const page = reportPage(comment, evil);
    expect(page).not.toContain("<img");
    expect(page).not.toMatch(/<strong>b<|href="http:\/\/x"/);
    expect(comment.match(/^<!-- offsite report/gm)).toHaveLength(1);
    expect(comment).not.toContain("\u202e");
    expect(comment.replaceAll(/(`+)[^]*?\1/g, "")).not.toContain("@alice");
  });

  it("that is secret is not shown, even where a preview was made with --show-secrets", () => {
    const steps: Given[] = [
      {
        op: "create",
        type: KEY,
        name: "cloud-sync-g1",
        parent: CLOUD,
        now: { inputs: { applicationKey: "K005secret", keyName: "n" } },
      },
      {
        op: "create",
        type: "x:y:Z",
        name: "z",
        now: {
          inputs: {
            a: {
              "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
              plaintext: '"hidden"',
            },
          },
        },
      },
    ];
    const all = text(steps) + JSON.stringify(json(steps));
    expect(all).not.toMatch(/K005secret|hidden/);
    expect(all).toContain("[secret]");
  });
});

describe("a thousand hosts", () => {
  it("fit into one comment, with what matters at its top", () => {
    const hosts = Array.from({ length: 1000 }, (_, at) => `host-${at}`);
    const steps = [
      ...hosts.map((host) => file(`hosts/${host}.env`)),
      ...hosts.map((host): Given => ({
        op: "create",
        type: KEY,
        name: `cloud-restore-${host}-g2`,
        parent: CLOUD,
        now: { inputs: { keyName: `k-${host}`.repeat(20) } },
      })),
      bucketStep("delete", bucket),
    ];
    const comment = text(steps);
    expect(comment.length).toBeLessThanOrEqual(LONGEST_COMMENT);
    expect(comment.slice(0, 200)).toContain("DANGER");
    expect(comment).toContain(
      "the keys with which hosts restore from `cloud`, generation 2: `host-0`, `host-1`",
    );
    expect(comment).toContain("and 992 more");
    expect(comment).toMatch(/\d+ more would be too long for a comment/);
  });
});
