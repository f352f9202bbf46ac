import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settingsSchema } from "../../../hub/settings.ts";
import { writeBundle } from "./bundle.ts";
import { evaluate, type Evaluation, type System } from "./evaluate.ts";
import { find } from "./programs.ts";
import { unitFiles } from "./unit-file.ts";

const root = mkdtempSync(join(tmpdir(), "offsite-guests-nix-"));
let evaluation: Evaluation;

beforeAll(async () => {
  const guest = (name: string, maxSizeGiB: number) => ({
    maxSizeGiB,
    repository: `rest:https://friends.example/${name}/`,
    environment: `guests/${name}.env.age`,
  });
  writeBundle(join(root, "bundle"));
  writeBundle(join(root, "guests"), {
    hub: {
      ...{ host: "ursula", url: "https://backup.fort.example/", repositories: "/srv/restic" },
      guestRepositories: "/srv/guests",
    },
    guests: { laptop: guest("laptop", 100), phone: guest("phone", 0.5) },
  });
  evaluation = await evaluate(join(import.meta.dirname, "configurations.nix"), {
    ...{ programs: "/usr", store: join(root, "store"), bundle: join(root, "bundle") },
    ...{ guestBundle: join(root, "guests"), agent: "/run/agent.mjs" },
    ...{ hubAddress: "127.0.0.1:8000", passwordFile: "/run/secrets/restic-password" },
  });
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

function system(name: string): System {
  const found = evaluation.systems[name];
  if (found === undefined) throw new Error(name);
  return found;
}

describe("a guest's server", () => {
  it("is a unit and a user of its own, which sees its directory and no network", () => {
    const { services, users, tmpfiles } = system("guests");
    for (const [name, bytes] of [
      ["laptop", "107374182400"],
      ["phone", "536870912"],
    ] as const) {
      const { serviceConfig, environment } = services[`offsite-guest-${name}`] ?? {};
      expect(serviceConfig).toMatchObject({
        ...{ User: `guest-${name}`, Group: `guest-${name}` },
        ...{ TemporaryFileSystem: "/srv/guests:ro", BindPaths: [`/srv/guests/${name}`] },
        ...{ PrivateNetwork: true, RestrictAddressFamilies: ["AF_UNIX"] },
        ...{ CapabilityBoundingSet: "", NoNewPrivileges: true, ProtectSystem: "strict" },
        InaccessiblePaths: ["-/srv/restic", "-/var/lib/offsite-hub"],
      });
      const script = evaluation.files.find(({ path }) => path === serviceConfig?.ExecStart);
      expect(script?.text).toContain("--append-only");
      expect(environment).toMatchObject({
        ...{ GUEST: name, GUEST_DIRECTORY: `/srv/guests/${name}`, GUEST_MAX_BYTES: bytes },
        GUEST_HTPASSWD: `/run/secrets/offsite-guest-${name}`,
      });
      expect(users[`guest-${name}`]?.group).toBe(`guest-${name}`);
      expect(tmpfiles).toContain(`d /srv/guests/${name} 0770 guest-${name} guest-${name} -`);
    }
    // The agent looks at their files; its units may write to none of them.
    expect(users.restic?.extraGroups).toEqual(["guest-laptop", "guest-phone"]);
    const writers = Object.values(services).flatMap(({ serviceConfig }) =>
      [serviceConfig.ReadWritePaths ?? []].flat().map(String),
    );
    expect(writers.filter((path) => path.startsWith("/srv/guests"))).toEqual([]);
  });

  it("has its own users' file, which the hosts' server cannot read, and starts anew with a rotation", () => {
    const { age, services } = system("guests");
    expect(age["offsite-guest-laptop"]).toMatchObject({
      file: join(root, "guests", "guests", "laptop.htpasswd.age"),
      owner: "guest-laptop",
      mode: "0400",
    });
    expect(services["offsite-guest-laptop"]).toMatchObject({
      restartTriggers: [join(root, "guests", "guests", "laptop.htpasswd.age")],
      onFailure: ["notify@%n.service"],
    });
  });

  it("is reached at an address of its own, or through nginx at its own path alone", () => {
    const { sockets, nginx, firewall } = system("guests");
    expect(sockets["offsite-guest-laptop"]?.listenStreams).toEqual(["10.8.0.1:8101"]);
    expect(sockets["offsite-guest-phone"]?.listenStreams).toEqual([
      "/run/offsite-guests/phone.sock",
    ]);
    expect(sockets["offsite-guest-phone"]?.socketConfig).toMatchObject({
      SocketMode: "0660",
      SocketGroup: "nginx",
    });
    expect(firewall).toEqual({});
    expect(Object.keys(nginx)).toEqual(["friends.example"]);
    const locations = nginx["friends.example"]?.locations ?? {};
    expect(Object.keys(locations)).toEqual(["/phone/"]);
    expect(locations["/phone/"]?.proxyPass).toBe(
      "http://unix:/run/offsite-guests/phone.sock:/phone/",
    );
    expect(locations["/phone/"]?.extraConfig).toMatch(
      /client_max_body_size 0;[^]*allow 10\.8\.0\.0\/24;\ndeny all;/,
    );
  });

  it("is a unit that systemd takes", async () => {
    const folder = join(root, "units");
    mkdirSync(folder);
    const files = Object.entries(unitFiles(system("guests"))).filter(([name]) =>
      name.startsWith("offsite-guest"),
    );
    expect(files).toHaveLength(4);
    for (const [name, text] of files) {
      // There are no packages here, and no accounts of those names.
      const here = text
        .replaceAll(/^(Exec\w+=)(\S+)/gm, "$1/bin/true")
        .replaceAll(/^(User|Group|SocketGroup)=\S+$/gm, "$1=daemon");
      writeFileSync(join(folder, name), here);
    }
    const paths = files.map(([name]) => join(folder, name));
    const { all } = await execa(find("systemd-analyze"), ["verify", "--man=no", ...paths], {
      all: true,
      reject: false,
    });
    expect(all.split("\n").filter((line) => line.includes("offsite"))).toEqual([]);
  });

  it("is judged by what the options say", () => {
    const path = system("guests").services["offsite-status"]?.environment.OFFSITE_SETTINGS;
    const file = evaluation.files.find((each) => each.path === path);
    const { guests } = settingsSchema.parse(JSON.parse(file?.text ?? ""));
    expect(guests).toEqual({ quietDays: 30, fullPercent: 90 });
  });

  it("is none where the stack has no guests, and what is missing for one is said", () => {
    const units = Object.keys(system("hub").services).filter((name) => name.includes("guest"));
    expect(units).toEqual([]);
    expect(system("guestsSealed").refused.join("\n")).toMatch(
      /guests\.listen: no such guest: "nobody"[^]*guests\.htpasswdFiles for "laptop"/,
    );
  });
});
