import { beforeEach, describe, expect, it } from "vitest";
import { HashMemory } from "../../credentials/htpasswd.ts";
import { Bundle } from "../../components/bundle.ts";
import { newTarget } from "../../components/targets.ts";
import { hubCredentialsSchema, manifestSchema } from "../../config/manifest.ts";
import { parseStackConfig } from "../../config/parse.ts";
import { AGE_KEY, raw, SSH_KEY, validConfig } from "../config/valid.ts";
import { named, recordRegistrations, reveal, settle, type Registration } from "./mocks.ts";

type Change = (config: ReturnType<typeof validConfig>) => void;

describe("a bundle", () => {
  let registrations: Registration[];
  beforeEach(async () => {
    registrations = await recordRegistrations();
  });

  async function emit(change: Change = () => undefined): Promise<Bundle> {
    registrations = await recordRegistrations();
    const given = structuredClone(validConfig());
    change(given);
    const config = parseStackConfig(raw(given), "test");
    const context = {
      stack: "test",
      hosts: config.hosts,
      seed: config.credentialSeed,
      hashes: new HashMemory(),
    };
    const targets = await Promise.all(
      Object.entries(config.targets).map(([name, target]) => newTarget(name, target, context)),
    );
    const bundle = new Bundle("bundle", {
      ...context,
      hub: config.hub,
      seal: config.seal,
      targets,
      lookForDrift: config.lookForDrift,
    });
    await settle();
    return bundle;
  }
  const file = (name: string) => named(registrations, name).inputs;
  const content = (name: string) => String(reveal(file(name).stdin).value);
  const environment = (name: string) => file(name).environment as Record<string, string>;
  const contents = () =>
    new Map(
      registrations
        .filter(({ type }) => type === "command:local:Command")
        .map(({ name, inputs }) => [name, String(reveal(inputs.stdin).value)]),
    );

  it("has the files of the design, each once", async () => {
    const { files } = await emit();
    expect([...files].sort()).toEqual([
      "hosts/drhorrible.env.age",
      "hosts/q.env.age",
      "hosts/ursula.env.age",
      "hub-credentials.json.age",
      "hub.htpasswd.age",
      "offsite.json",
      "rclone.conf.age",
      "secrets.nix",
    ]);
  });

  it("seals each file for the machine that reads it, and for the operators", async () => {
    await emit();
    expect(environment("hosts/q.env")).toEqual({
      DIRECTORY: "../fort-nix/secrets/offsite",
      FILE: "../fort-nix/secrets/offsite/hosts/q.env.age",
      FORMAT: "age",
      RECIPIENTS: AGE_KEY,
    });
    expect(environment("hosts/drhorrible.env").RECIPIENTS).toBe([AGE_KEY, SSH_KEY].join("\n"));
    // ursula's key has a comment in the config.
    expect(environment("rclone.conf").RECIPIENTS).toBe([AGE_KEY, SSH_KEY].join("\n"));
  });

  it("marks the content of every sealed file secret", async () => {
    await emit();
    for (const { name, type, inputs } of registrations) {
      if (type !== "command:local:Command") continue;
      const isPublic = ["offsite.json", "secrets.nix"].includes(name);
      expect([name, reveal(inputs.stdin).secret]).toEqual([name, !isPublic]);
    }
  });

  it("emits a manifest that readers accept, without a secret and without a generation", async () => {
    await emit();
    const manifest = manifestSchema.parse(JSON.parse(content("offsite.json")));
    expect(Object.keys(manifest.targets)).toEqual(["cloud", "peer"]);
    expect(manifest.hosts.q).toEqual({
      sizeGiB: 10,
      user: "q",
      repository: "rest:https://backup.fort.example/q/",
      environment: "hosts/q.env.age",
    });
    expect(content("offsite.json")).not.toContain("generation");
  });

  it("emits credentials that the hub's agent accepts", async () => {
    await emit();
    const credentials = hubCredentialsSchema.parse(JSON.parse(content("hub-credentials.json")));
    expect(credentials.targets.cloud).toMatchObject({ remotes: { next: "cloud-next" } });
    expect(credentials.targets.peer).toMatchObject({ users: { q: { generation: 3 } } });
  });

  it("changes, for a host that is rotated, what holds its credentials and nothing else", async () => {
    await emit();
    const before = contents();
    await emit(({ hosts }) => {
      (hosts as Record<string, { generation: number }>).q = {
        ...(hosts as Record<string, { generation: number }>).q,
        generation: 4,
      };
    });
    const after = contents();
    const changed = [...after.keys()].filter((name) => after.get(name) !== before.get(name));
    expect(changed.sort()).toEqual(["hosts/q.env", "hub-credentials.json", "hub.htpasswd"]);
  });

  it("holds what was next as current after a rotation", async () => {
    await emit();
    const variable = (name: string) =>
      new RegExp(`^${name}=(.*)$`, "m").exec(content("hosts/q.env"))?.[1];
    const before = {
      next: variable("OFFSITE_HUB_PASSWORD_NEXT"),
      current: variable("RESTIC_REST_PASSWORD"),
    };
    await emit(({ hosts }) =>
      Object.assign((hosts as Record<string, object>).q ?? {}, { generation: 4 }),
    );
    expect(variable("RESTIC_REST_PASSWORD")).toBe(before.next);
    expect(variable("OFFSITE_HUB_PASSWORD_PREVIOUS")).toBe(before.current);
  });

  it("takes the files of a host that leaves along", async () => {
    await emit(({ hosts }) => Reflect.deleteProperty(hosts as object, "q"));
    expect([...contents().keys()]).not.toContain("hosts/q.env");
    expect(content("hub.htpasswd")).not.toContain("q:");
    expect(content("secrets.nix")).not.toContain("hosts/q.env");
  });

  it("seals the manifest too, for every machine, when it must not be public", async () => {
    await emit(({ seal }) => Object.assign(seal as object, { manifest: true }));
    expect(environment("offsite.json")).toMatchObject({
      FORMAT: "age",
      RECIPIENTS: [AGE_KEY, SSH_KEY].join("\n"),
    });
  });

  it("writes to one place however its directory is spelled", async () => {
    await emit();
    const { FILE } = environment("hosts/q.env");
    for (const directory of ["../fort-nix/secrets/offsite/", "./../fort-nix//secrets/offsite"]) {
      await emit(({ seal }) => Object.assign(seal as object, { directory }));
      expect(environment("hosts/q.env").FILE).toBe(FILE);
    }
  });

  it("speaks sops where the consumer does, with age keys alone", async () => {
    const { files } = await emit(({ seal }) => Object.assign(seal as object, { format: "sops" }));
    expect(environment("hosts/drhorrible.env").RECIPIENTS).not.toContain("ssh-");
    expect(environment("hosts/drhorrible.env").RECIPIENTS?.split("\n")).toHaveLength(2);
    expect(files).toContain("hosts/q.env.sops");
    expect(content(".sops.yaml")).toContain("^hosts/q\\.env\\.sops$");
  });

  it("seals to the hub's own key where it is no host", async () => {
    await emit((config) => {
      Object.assign(config.hub as object, { host: "vault", key: AGE_KEY });
    });
    expect(environment("hub.htpasswd").RECIPIENTS).toBe(AGE_KEY);
  });
});
