import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { settingsSchema } from "../../../hub/settings.ts";
import { writeBundle } from "./bundle.ts";
import { evaluate, type Evaluation, type Service, type System } from "./evaluate.ts";
import { find } from "./programs.ts";
import { unitFiles } from "./unit-file.ts";

const root = mkdtempSync(join(tmpdir(), "offsite-modules-"));
let evaluation: Evaluation;

beforeAll(async () => {
  writeBundle(join(root, "bundle"));
  const types = { cloud: "b2", peer: "rest-server", vault: "r2", other: "s3", attic: "sftp" };
  const targets = Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type }]));
  writeBundle(join(root, "sops"), { targets }, ".sops");
  evaluation = await evaluate(join(import.meta.dirname, "configurations.nix"), {
    programs: "/usr",
    store: join(root, "store"),
    bundle: join(root, "bundle"),
    agent: "/run/agent.mjs",
    sopsBundle: join(root, "sops"),
    hubAddress: "127.0.0.1:8000",
    passwordFile: "/run/secrets/restic-password",
  });
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

function system(name: string): System {
  const found = evaluation.systems[name];
  if (found === undefined) throw new Error(name);
  return found;
}

function service(name: string, unit: string): Service {
  const found = system(name).services[unit];
  if (found === undefined) throw new Error(unit);
  return found;
}

function settingsOf(name: string): unknown {
  const path = service(name, "offsite-status").environment.OFFSITE_SETTINGS;
  const file = evaluation.files.find((each) => each.path === path);
  return JSON.parse(file?.text ?? "");
}

const calendar = (name: string) =>
  Object.fromEntries(
    Object.entries(system(name).timers).map(([unit, { timerConfig }]) => [
      unit,
      timerConfig.OnCalendar,
    ]),
  );

describe("the hub's units", () => {
  it("run at the seed's times, a mirror for each target", () => {
    expect(calendar("hub")).toEqual({
      "offsite-mirror-cloud": "02:00",
      "offsite-mirror-peer": "03:00",
      "offsite-prune": "04:00",
      "offsite-verify": "Sun 06:00",
      "offsite-drill": "*-*-01 07:00",
      "offsite-drill-control": "*-01,04,07,10-15 07:00",
      "offsite-status": "hourly",
      "offsite-metrics": "hourly",
      "restic-backups-offsite": "daily",
    });
    expect(calendar("sops")).toMatchObject({
      "offsite-mirror-peer": "05:30",
      "offsite-mirror-vault": "02:00",
      "offsite-mirror-other": "02:00",
      "offsite-mirror-attic": "03:00",
    });
    expect(Object.keys(calendar("sealed"))).toContain("offsite-mirror-cloud2");
    for (const { timerConfig, wantedBy } of Object.values(system("hub").timers)) {
      expect(timerConfig.Persistent).toBe(true);
      expect(wantedBy).toEqual(["timers.target"]);
    }
  });

  it("let prune wait for every mirror, however long it takes", () => {
    expect(service("hub", "offsite-prune").after).toEqual(
      expect.arrayContaining(["offsite-mirror-cloud.service", "offsite-mirror-peer.service"]),
    );
    expect(service("hub", "offsite-mirror-cloud").serviceConfig.Type).toBe("oneshot");
    expect(system("hub").timers["offsite-prune"]?.timerConfig.RandomizedDelaySec).toBe("0");
  });

  it("are never root's, and write to the repositories in prune alone", () => {
    const units = Object.entries(system("hub").services).filter(([unit]) =>
      unit.startsWith("offsite-"),
    );
    expect(units).toHaveLength(8);
    for (const [unit, { serviceConfig }] of units) {
      expect(serviceConfig, unit).toMatchObject({
        User: "restic",
        CapabilityBoundingSet: "",
        NoNewPrivileges: true,
        ProtectSystem: "strict",
      });
      const writes = [serviceConfig.ReadWritePaths].flat();
      expect(writes.includes("/srv/restic"), unit).toBe(unit === "offsite-prune");
    }
  });

  it("tell who is to be told, and write metrics after each run", () => {
    for (const unit of [
      "offsite-mirror-peer",
      "offsite-prune",
      "offsite-verify",
      "offsite-drill",
    ]) {
      const { onFailure, unitConfig } = service("hub", unit);
      expect(onFailure).toEqual(["offsite-metrics.service", "notify@%n.service"]);
      expect(unitConfig.OnSuccess).toEqual(["offsite-metrics.service"]);
    }
    expect(service("hub", "restic-rest-server").onFailure).toEqual(["notify@%n.service"]);
    expect(service("hub", "restic-backups-offsite").onFailure).toEqual(["notify@%n.service"]);
    expect(system("sops").services["offsite-metrics"]).toBeUndefined();
    expect(service("sops", "offsite-prune").unitConfig).not.toHaveProperty("OnSuccess");
  });

  it("write the status page where one is wanted, hourly and after each run", () => {
    const { serviceConfig } = service("sealed", "offsite-page");
    expect(serviceConfig.ExecStart).toMatch(
      /"status" "--no-fail" "--html" "\/var\/lib\/offsite-page\/index.html"$/,
    );
    expect(serviceConfig).toMatchObject({
      User: "restic",
      ReadWritePaths: ["/var/lib/offsite-page"],
    });
    expect(calendar("sealed")["offsite-page"]).toBe("hourly");
    expect(system("sealed").tmpfiles).toContain("d /var/lib/offsite-page 0755 restic restic -");
    const { onFailure, unitConfig } = service("sealed", "offsite-mirror-cloud2");
    expect(onFailure).toContain("offsite-page.service");
    expect(unitConfig.OnSuccess).toContain("offsite-page.service");
    expect(service("sealed", "offsite-page").unitConfig).not.toHaveProperty("OnSuccess");
    expect(system("hub").services["offsite-page"]).toBeUndefined();
  });

  it("tell whom the options name", () => {
    const settings = settingsSchema.parse(settingsOf("sealed"));
    expect(settings.notify).toMatchObject({ pingUrlFile: "/run/keys/ping", timeoutSeconds: 5 });
    expect(settings.page).toEqual({ distrustHours: 26 });
    expect(settingsSchema.parse(settingsOf("hub")).notify.pingUrlFile).toBeUndefined();
  });

  it("give the agent the settings that it has by default", () => {
    const { drill, passwordFiles, ...defaults } = settingsSchema.parse({});
    const settings = settingsSchema.parse(settingsOf("hub"));
    expect(settings).toMatchObject(defaults);
    expect(settings.drill).toMatchObject({ checks: drill.checks, ignore: drill.ignore });
    expect(Object.keys({ ...passwordFiles, ...settings.passwordFiles })).toHaveLength(2);
  });

  it("give the agent what the options say, and more settings over it", () => {
    const settings = settingsSchema.parse(settingsOf("sops"));
    expect(settings.retention).toEqual({ daily: 14, weekly: 4, monthly: 6 });
    expect(settings.overdueDays).toEqual({ verify: 9, drill: 70, prune: 3 });
    expect(settings.triggers).toEqual({ ursula: ["/bin/true"] });
    expect(settings.drill.checks.drhorrible).toEqual([
      { name: "there", command: ["test", "-s", "var/lib/100%"], timeoutSeconds: 600 },
    ]);
    const { ExecStart } = service("sops", "offsite-mirror-peer").serviceConfig;
    expect(ExecStart).toMatch(/"mirror" "peer" "--limit-upload" "512"$/);
  });
});

describe("the hub's server", () => {
  it("is append-only and private, knows the emitted users, and restarts with a rotation", () => {
    const { serviceConfig, restartTriggers } = service("hub", "restic-rest-server");
    expect(serviceConfig.ExecStart).toContain(
      "--path /srv/restic --htpasswd-file /run/secrets/offsite-htpasswd --append-only --private-repos",
    );
    expect(restartTriggers).toEqual([join(root, "bundle", "hub.htpasswd.age")]);
    expect(service("sops", "restic-rest-server").restartTriggers).toEqual([
      join(root, "sops", "hub.htpasswd.sops"),
    ]);
    expect(system("hub").sockets["restic-rest-server"]?.listenStreams).toEqual(["127.0.0.1:8000"]);
    expect(system("hub").firewall).toEqual({});
  });

  it("is reached from the mesh alone, and takes files of any size", () => {
    expect(system("sops").firewall).toEqual({ tailscale0: { allowedTCPPorts: [8000] } });
    const location = system("sops").nginx["backup.fort.example"]?.locations["/"];
    expect(location?.proxyPass).toBe("http://100.64.0.1:8000");
    expect(location?.extraConfig).toContain("client_max_body_size 0;");
    expect(location?.extraConfig).toContain("allow 100.64.0.0/10;\ndeny all;");
  });
});

describe("a host's backup", () => {
  const unit = "restic-backups-offsite";

  it("is daily within an hour, of /var/lib without containers and logs", () => {
    expect(system("host").timers[unit]?.timerConfig).toEqual({
      OnCalendar: "daily",
      RandomizedDelaySec: "1h",
      Persistent: true,
    });
    const texts = evaluation.files.map(({ text }) => text);
    expect(texts).toContain("/var/lib/docker\n/var/lib/containers\n*.log");
    expect(texts).toContain("/var/lib\n/run/restic-backups-offsite/dumps\n");
    // What is on the hub alone does not go into the hub's backup.
    expect(texts).toContain(
      "/var/lib/docker\n/var/lib/containers\n*.log\n/srv/restic\n/var/lib/offsite-hub\n/var/lib/offsite-drill",
    );
  });

  it("waits while the hub prunes, and is named as the manifest names the host", () => {
    const { ExecStart } = service("host", unit).serviceConfig;
    expect(String(ExecStart)).toContain("backup --host drhorrible --retry-lock 1h ");
  });

  it("may read everything, and do nothing else that root may", () => {
    const { serviceConfig } = service("host", unit);
    expect(serviceConfig).toMatchObject({
      CapabilityBoundingSet: ["CAP_DAC_READ_SEARCH", "CAP_SETGID", "CAP_SETUID"],
      RuntimeDirectoryMode: "0700",
      ProtectSystem: "strict",
      PrivateTmp: true,
      ReadWritePaths: ["/var/lib/offsite-metrics", "-/var/lib/pocket-id"],
    });
  });
});

describe("secrets", () => {
  const files = { "offsite-htpasswd": "hub.htpasswd", "offsite-rclone": "rclone.conf" };

  it.each(Object.entries(files))(
    "declares %s for its reader, with agenix and sops",
    (name, file) => {
      const common = { owner: "restic", mode: "0400" };
      expect(system("hub").age[name]).toMatchObject({
        ...common,
        file: join(root, "bundle", `${file}.age`),
      });
      expect(system("sops").sops[name]).toMatchObject({
        ...common,
        sopsFile: join(root, "sops", `${file}.sops`),
        format: "binary",
      });
    },
  );

  it("declares a host's own file for root alone, and no other on a host", () => {
    expect(system("host").age).toEqual({
      "offsite-host": {
        file: join(root, "bundle", "hosts", "drhorrible.env.age"),
        owner: "root",
        mode: "0400",
        path: "/run/secrets/offsite-host",
      },
    });
  });

  it("declares a sealed manifest too, and reads it at run time", () => {
    const { age, timers } = system("sealedAgenix");
    expect(age["offsite-manifest"]?.file).toBe(join(root, "bundle", "offsite.json.age"));
    const { environment } = service("sealedAgenix", "offsite-mirror-peer");
    expect(environment.OFFSITE_MANIFEST).toBe("/run/secrets/offsite-manifest");
    expect(timers).not.toHaveProperty("offsite-drill-control");
  });

  it("declares none where they are declared elsewhere, also with a sealed manifest", () => {
    expect(system("sealed").age).toEqual({});
    const { environment } = service("sealed", "offsite-mirror-cloud");
    expect(environment.OFFSITE_MANIFEST).toBe("/run/keys/offsite.json");
    const backup = service("sealed", "restic-backups-offsite");
    expect(backup.serviceConfig.EnvironmentFile).toBe("/run/keys/ursula.env");
    expect(backup.environment).not.toHaveProperty("RESTIC_REPOSITORY");
  });
});

describe("a system", () => {
  it.each(["hub", "host", "sops", "sealed", "sealedAgenix"])(
    "%s has units that systemd accepts",
    async (name) => {
      const folder = join(root, "units", name);
      mkdirSync(folder, { recursive: true });
      const files = unitFiles(system(name));
      for (const [file, text] of Object.entries(files)) {
        // There are no packages here, and no account of that name.
        const here = text
          .replaceAll(/^(Exec\w+=)(\S+)/gm, "$1/bin/true")
          .replaceAll(/^(User|Group)=restic$/gm, "$1=daemon");
        writeFileSync(join(folder, file), here);
      }
      const paths = Object.keys(files).map((file) => join(folder, file));
      const { all } = await execa(find("systemd-analyze"), ["verify", "--man=no", ...paths], {
        all: true,
        reject: false,
      });
      const aboutOurs = all.split("\n").filter((line) => /offsite|restic/.test(line));
      expect(aboutOurs).toEqual([]);
    },
  );

  it("has on a host's and the hub's command line, and on disk, what the runbooks begin with", () => {
    const programs = (name: string) => system(name).commands.map((each) => basename(each));
    expect(programs("host")).toEqual(expect.arrayContaining(["restic", "rclone"]));
    const { tmpfiles } = system("hub");
    expect(tmpfiles).toContain("d /var/lib/offsite-hub 0700 restic restic -");
    expect(tmpfiles).toContain("d /var/cache/offsite-hub 0700 restic restic -");
  });

  it("holds nothing of this where nothing is enabled", () => {
    const off = system("off");
    expect(off.services).toEqual({});
    expect(off.timers).toEqual({});
    expect(off.tmpfiles).toEqual([]);
    expect(off.nodeExporter.extraFlags).toEqual([]);
  });

  it("has the node exporter read the metrics of hub and hosts in one directory for both", () => {
    expect(system("hub").nodeExporter.extraFlags).toEqual([
      "--collector.textfile.directory=/var/lib/offsite-metrics",
    ]);
    expect(system("hub").tmpfiles).toContain("d /var/lib/offsite-metrics 0775 root restic -");
    expect(system("host").tmpfiles).toEqual(["d /var/lib/offsite-metrics 0775 root root -"]);
  });

  it("is refused with all that is wrong at once", () => {
    expect(system("wrong").refused).toEqual([
      expect.stringContaining('enable is set on "drhorrible", and the bundle\'s hub is "ursula"'),
      expect.stringContaining("services.offsite.hub.agent: give the agent's file"),
      expect.stringContaining('secrets is "none": set services.offsite.hub.htpasswdFile'),
      expect.stringContaining('mirror.schedule: no such target: "moon". The manifest has "cloud"'),
      expect.stringContaining(
        'passwordFiles: no such host: "nobody". The manifest has "drhorrible"',
      ),
      expect.stringContaining("set services.offsite.client.environmentFile"),
    ]);
    for (const name of ["hub", "host", "sops", "sealed"]) expect(system(name).refused).toEqual([]);
    expect(system("sealed").warnings).toEqual([expect.stringContaining('"ursula" have none')]);
  });
});
