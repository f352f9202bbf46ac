/** The rules over what the components themselves make, of every type of target. */
import { describe, expect, it } from "vitest";
import { Bundle } from "../../components/bundle.ts";
import { newTarget } from "../../components/targets.ts";
import { parseStackConfig } from "../../config/parse.ts";
import { HashMemory } from "../../credentials/htpasswd.ts";
import { judge } from "../../policy/judge.ts";
import type { Finding } from "../../policy/model.ts";
import { raw, SSH_KEY, validConfig } from "../config/valid.ts";
import { recordRegistrations, reveal, settle } from "../components/mocks.ts";
import { ACCOUNT, DIGEST, fact, told } from "./facts.ts";

const KEY = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
};

const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/** What is told of a stack with more targets than the usual two, as a policy pack sees it. */
async function toldOfTargets(
  targets: Record<string, object>,
  targetSecrets: object = {},
): Promise<Finding[]> {
  const registrations = await recordRegistrations({
    // What a peer says when it has made an authority of its own.
    outputs: {
      "command:remote:Command": { stdout: `authority ${Buffer.from(PEM).toString("base64")}\n` },
    },
  });
  const given = structuredClone(validConfig());
  given.targets = { ...(given.targets as object), ...targets };
  const config = parseStackConfig(raw({ ...given, targetSecrets }), "test");
  const context = {
    stack: "test",
    hosts: config.hosts,
    seed: config.credentialSeed,
    hashes: new HashMemory(),
    targetSecrets: config.targetSecrets,
  };
  const made = await Promise.all(
    Object.entries(config.targets).map(([name, target]) => newTarget(name, target, context)),
  );
  const { hub, seal, lookForDrift } = config;
  new Bundle("bundle", { ...context, hub, seal, targets: made, lookForDrift });
  await settle();
  // Mocks are not told of `protect`, and `retainOnDelete` a pack is not told of either.
  const options = { protect: true, retainOnDelete: undefined, dependencies: undefined };
  return judge(
    registrations.map(({ type, name, inputs }) =>
      fact(
        type,
        name,
        Object.fromEntries(
          Object.entries(inputs).map(([key, value]) => [key, reveal(value).value]),
        ),
        options,
      ),
    ),
  );
}

const ssh = { host: "100.64.0.10", hostKey: SSH_KEY };
const peer = { type: "rest-server", ssh, dataDir: "/srv/fort-offsite", maxSizeGiB: 200 };

describe("a target as the program makes it", () => {
  it("of the types b2 and rest-server has nothing told of it", async () => {
    expect(await toldOfTargets({})).toEqual([]);
  });

  it("of the type r2 has nothing told of it, and an error with a lock of less than a week", async () => {
    const r2 = { type: "r2", accountId: ACCOUNT, bucket: "family-fort" };
    expect(await toldOfTargets({ second: r2 })).toEqual([]);
    expect(
      await toldOfTargets({ second: { ...r2, keepHiddenDays: 30, jurisdiction: "eu" } }),
    ).toEqual([]);
    expect(told(await toldOfTargets({ second: { ...r2, keepHiddenDays: 6 } }))).toEqual([
      "error r2-lock-kept the bucket of second",
    ]);
  });

  it("of the types s3 and sftp has told of it what it cannot promise", async () => {
    const s3 = {
      type: "s3",
      endpoint: "https://s3.eu-central-1.wasabisys.com",
      bucket: "family-fort",
    };
    const sftp = { type: "sftp", ssh, dataDir: "/srv/fort-sftp", maxSizeGiB: 100 };
    const secrets = { second: { sync: KEY, restore: { ...KEY, accessKeyId: "AKIDOTHER" } } };
    expect(told(await toldOfTargets({ second: s3, files: sftp }, secrets)).sort()).toEqual([
      "warning made-elsewhere second",
      "warning peer-append-only files",
    ]);
  });

  it("with TLS or in a tunnel has nothing told of it, even on every address", async () => {
    const behindTls = {
      ...{ ...peer, tls: "self-signed", listen: "0.0.0.0:8443", expose: "any" },
      url: "https://backup.example.org:8443/",
    };
    expect(await toldOfTargets({ second: behindTls })).toEqual([]);
    const image = `linuxserver/wireguard@${DIGEST}`;
    const tunnel = { type: "wireguard", endpoint: "brother.example.org:51820", image };
    expect(await toldOfTargets({ second: { ...peer, listen: undefined, tunnel } })).toEqual([]);
    const clear = { ...behindTls, tls: undefined, url: "http://100.64.0.10:8443/" };
    expect(told(await toldOfTargets({ second: clear }))).toEqual([
      "error peer-no-wildcard-without-tls second",
    ]);
  });
});
