/** The rules for what is put on a peer: they read the compose file as compose does. */
import { stringify } from "yaml";
import { describe, expect, it } from "vitest";
import { composeFile } from "../../peer/compose.ts";
import { sftpUser } from "../../peer/sftp/place.ts";
import { caddyFiles } from "../../peer/services/caddy.ts";
import { judge } from "../../policy/judge.ts";
import { MASKED, UNKNOWN } from "../../policy/values.ts";
import {
  compose,
  DIGEST,
  peer,
  peerCommand,
  sftpTarget,
  toldOf,
  withResources,
  type ComposeFile,
} from "./facts.ts";

type Change = (server: Record<string, unknown>, file: ComposeFile) => void;

/** The rules that find something in a compose file with one change, as `severity rule`. */
function rules(change: Change, files: object = {}): string[] {
  const text = compose((file) => change(file.services["rest-server"], file));
  return toldOf(peer(text, files)).map((each) => each.replace(/ peer$/, ""));
}

/** The command with some of its words replaced; undefined takes a word away. */
const command =
  (words: Readonly<Record<string, string | undefined>>): Change =>
  (server) => {
    const given = server.command as string[];
    const changed = given.flatMap((word) => {
      const name = word.split("=")[0] ?? "";
      if (!Object.hasOwn(words, name)) return [word];
      return words[name] === undefined ? [] : [words[name]];
    });
    server.command = changed;
  };

const also =
  (...words: string[]): Change =>
  (server) => {
    (server.command as string[]).push(...words);
  };

const OPEN = "error peer-append-only";
const SHARED = "error peer-private-repositories";
const WIDE = "error peer-no-wildcard-without-tls";
const LOOSE = "error peer-container-confined";
const UNPINNED = "error peer-image-pinned";

describe("append-only", () => {
  it.each<[string, Change]>([
    ["is left out", command({ "--append-only": undefined })],
    ["is turned off", command({ "--append-only": "--append-only=false" })],
    ["is turned off later", also("--append-only=0")],
    ["is misspelt", command({ "--append-only": "--append_only" })],
    [
      "stands after the flags' end",
      command({ "--append-only": "--", "--private-repos": "--private-repos" }),
    ],
    ["is another flag's value", command({ "--append-only": undefined, "--path": "--path" })],
  ])("that %s is an error", (_, change) => {
    expect(rules(change)).toContain(OPEN);
  });

  it("that is another flag's value is none", () => {
    expect(rules(command({ "--append-only": undefined, "--path": "--log" }))).toContain(OPEN);
    const swallowed: Change = (server) => {
      server.command = ["--private-repos", "--listen=100.64.0.9:8000", "--log", "--append-only"];
    };
    expect(rules(swallowed)).toEqual([OPEN]);
  });

  it("in a comment, a label, the environment or another service is none", () => {
    const text = compose((file) => {
      command({ "--append-only": undefined })(file.services["rest-server"], file);
      Object.assign(file.services["rest-server"], {
        labels: { flags: "--append-only" },
        environment: { OPTIONS: "--append-only --private-repos" },
      });
      file.services.decoy = { image: `busybox@${DIGEST}`, command: ["--append-only"] };
    });
    expect(toldOf(peer(`# --append-only\n${text}# command: --append-only\n`))).toEqual([
      `${OPEN} peer`,
    ]);
  });

  it.each<[string, Change]>([
    ["as a yes", command({ "--append-only": "--append-only=true" })],
    [
      "in the entrypoint",
      (server) => {
        server.entrypoint = ["/usr/bin/rest-server", "--append-only", "--private-repos"];
        server.command = ["--listen=100.64.0.9:8000"];
      },
    ],
    [
      "in a command that is one text",
      (server) => {
        server.entrypoint = "/usr/bin/rest-server";
        server.command = '--append-only --private-repos --listen "100.64.0.9:8000"';
      },
    ],
    [
      "in OPTIONS of the official image's own start",
      (server) => {
        delete server.entrypoint;
        delete server.command;
        server.environment = ["OPTIONS=--append-only --private-repos --listen 100.64.0.9:8000"];
      },
    ],
    [
      "behind a YAML anchor",
      (server, file) => {
        server.command = [...(server.command as string[])];
        file["x-unused"] = server.command;
      },
    ],
  ])("%s is one", (_, change) => {
    expect(rules(change)).toEqual([]);
  });

  it("of every server counts", () => {
    const second: Change = (server, file) => {
      file.services.second = {
        ...server,
        command: ["--listen=100.64.0.9:8001", "--private-repos"],
      };
    };
    expect(rules(second)).toEqual([OPEN]);
  });

  it.each<[string, Change]>([
    [
      "a shell starts the server",
      (server) => {
        server.entrypoint = ["/bin/sh", "-c", "rest-server --append-only --private-repos"];
        server.command = [];
      },
    ],
    ["a variable decides on it", also("${EXTRA}")],
    [
      "a file could turn it off",
      (server) => {
        delete server.entrypoint;
        delete server.command;
        server.environment = { OPTIONS: "--append-only --private-repos --listen 100.64.0.9:8000" };
        server.env_file = "server.env";
      },
    ],
    [
      "another file adds services",
      (_, file) => {
        file.include = ["more.yaml"];
      },
    ],
    [
      "the server extends another",
      (server) => {
        server.extends = { file: "base.yaml", service: "rest-server" };
      },
    ],
    [
      "nothing is a rest-server",
      (server, file) => {
        file.services = { web: { image: `nginx@${DIGEST}` } } as unknown as ComposeFile["services"];
        delete server.image;
      },
    ],
  ])("that cannot be judged, as %s, is an error", (_, change) => {
    expect(rules(change)).toContain(OPEN);
  });

  it("of a compose file that cannot be read is an error", () => {
    for (const text of ["", "services: [", "a: 1\na: 2\nservices: {}", MASKED, UNKNOWN]) {
      expect(toldOf(peer(text))).toEqual([`${OPEN} peer`]);
    }
    const none = { ...peer(), inputs: { ...peer().inputs, files: {} } };
    expect(toldOf(none)).toEqual([`${OPEN} peer`]);
    expect(toldOf({ ...peer(), inputs: { ...peer().inputs, files: MASKED } })).toEqual([
      `${OPEN} peer`,
    ]);
    expect(toldOf(peer(compose(), { "compose.override.yaml": compose() }))).toEqual([
      `${OPEN} peer`,
    ]);
  });

  it("is what sftp cannot promise, which is a warning", () => {
    expect(toldOf(sftpTarget(), peerCommand("files-directory"))).toEqual([
      "warning peer-append-only files",
    ]);
  });
});

describe("a server that lets others in", () => {
  it.each<[string, Change]>([
    ["has no private repositories", command({ "--private-repos": undefined })],
    ["has them turned off", also("--private-repos=false")],
    ["asks for no password", also("--no-auth")],
    ["believes a header", also("--proxy-auth-username=X-User")],
    [
      "has its password turned off by the image's own start",
      (server) => {
        delete server.entrypoint;
        delete server.command;
        server.environment = {
          OPTIONS: "--append-only --private-repos --listen=100.64.0.9:8000",
          DISABLE_AUTHENTICATION: 1,
        };
      },
    ],
  ])("as it %s is an error", (_, change) => {
    expect(rules(change)).toEqual([SHARED]);
  });
});

describe("a server without TLS", () => {
  it.each([
    "0.0.0.0:8000",
    ":8000",
    "[::]:8000",
    "[::0]:8000",
    "0:8000",
    "[::ffff:0.0.0.0]:8000",
    "*:8000",
    "backup.example:8000",
  ])("that listens on %s is an error", (listen) => {
    expect(rules(command({ "--listen": `--listen=${listen}` }))).toEqual([WIDE]);
  });

  it.each(["10.0.0.1:8000", "[fd7a::9]:8000", "127.0.0.1:8000", "localhost:8000"])(
    "that listens on %s is well",
    (listen) => {
      expect(rules(command({ "--listen": `--listen=${listen}` }))).toEqual([]);
    },
  );

  it("that does not say where listens everywhere", () => {
    expect(rules(command({ "--listen": undefined }))).toEqual([WIDE]);
    expect(rules(also("--listen", ":8000"))).toEqual([WIDE]);
  });

  it("is well on every address once it has TLS", () => {
    const tls = ["--tls", "--tls-cert=/etc/c", "--tls-key=/etc/k"];
    expect(rules(also("--listen=:8000", ...tls))).toEqual([]);
    expect(rules(also("--listen=:8000", ...tls, "--tls=false"))).toEqual([WIDE]);
  });

  const ports =
    (...list: unknown[]): Change =>
    (server) => {
      delete server.network_mode;
      server.ports = list;
      (server.command as string[]).push("--listen=:8000");
    };

  it.each<[string, unknown]>([
    ["8000:8000", "8000:8000"],
    ["8000 alone", 8000],
    ["0.0.0.0", "0.0.0.0:8000:8000"],
    ["[::]", "[::]:8000:8000"],
    ["a range", "7000-9000:7000-9000/tcp"],
    ["a variable", "${ADDRESS}:8000:8000"],
    ["the long form without an address", { target: 8000, published: "8000" }],
    ["the long form with a wildcard", { target: 8000, published: 8000, host_ip: "::" }],
  ])("whose port is published on %s is an error", (_, port) => {
    expect(rules(ports(port))).toEqual([WIDE]);
  });

  it("whose port is published on one address, or not at all, is well", () => {
    expect(rules(ports("100.64.0.9:8000:8000", "[fd7a::9]:8000:8000"))).toEqual([]);
    expect(rules(ports({ target: 8000, published: 8000, host_ip: "10.0.0.1" }))).toEqual([]);
    expect(rules(ports())).toEqual([]);
  });

  const sidecar =
    (settings: object): Change =>
    (server, file) => {
      server.network_mode = "service:tunnel";
      (server.command as string[]).push("--listen=:8000");
      file.services.tunnel = { image: `tailscale/tailscale:v1@${DIGEST}`, ...settings };
    };

  it("is well inside a tunnel, unless the tunnel's network is the machine's or published", () => {
    expect(rules(sidecar({}))).toEqual([]);
    expect(rules(sidecar({ ports: ["51820:51820/udp"] }))).toEqual([]);
    expect(rules(sidecar({ network_mode: "host" }))).toEqual([WIDE]);
    expect(rules(sidecar({ ports: ["8000:8000"] }))).toEqual([WIDE]);
    expect(rules((server) => (server.network_mode = "service:nobody"))).toEqual([WIDE]);
    expect(rules((server) => (server.network_mode = "container:abc"))).toEqual([WIDE]);
  });

  it("in Docker's network of the machine, or one that others made, is an error", () => {
    const inNetwork = (network: unknown) =>
      rules((server, file) => {
        delete server.network_mode;
        server.networks = ["outside"];
        file.networks = { outside: network };
        (server.command as string[]).push("--listen=:8000");
      });
    expect(inNetwork({ external: true, name: "host" })).toEqual([WIDE]);
    expect(inNetwork({ external: true })).toEqual([WIDE]);
    expect(inNetwork({ driver: "macvlan" })).toEqual([WIDE]);
    expect(inNetwork({ internal: true })).toEqual([]);
    expect(inNetwork(null)).toEqual([]);
  });

  it("on one address of the internet is a warning", () => {
    expect(rules(command({ "--listen": "--listen=93.184.216.34:8000" }))).toEqual([
      "warning peer-no-wildcard-without-tls",
    ]);
    expect(rules(also("--listen=93.184.216.34:8000", "--tls"))).toEqual([]);
  });

  const behindCaddy: Change = (server, file) => {
    (server.command as string[]).push("--listen=127.0.0.1:8000");
    file.services.caddy = { image: `caddy:2@${DIGEST}`, network_mode: "host" };
  };

  it("is well behind Caddy as long as Caddy speaks TLS", () => {
    const with_ = (Caddyfile: string) => rules(behindCaddy, { Caddyfile });
    const proxy = "{\n\treverse_proxy 127.0.0.1:8000\n}\n";
    expect(with_(`{\n\tadmin off\n}\n\nbackup.example.org ${proxy}`)).toEqual([]);
    expect(with_(`https://backup.example.org:8443 ${proxy}`)).toEqual([]);
    expect(with_(`backup.example.org {\n\treverse_proxy {env.X}\n}`)).toEqual([]);
    expect(with_(`http://backup.example.org {\n\tredir https://{host}{uri}\n}`)).toEqual([]);
    expect(with_("backup.example.org\nreverse_proxy 127.0.0.1:8000\n")).toEqual([]);
    for (const bad of [
      `http://backup.example.org ${proxy}`,
      `backup.example.org, http://other.example ${proxy}`,
      `:80 ${proxy}`,
      `:8000 ${proxy}`,
      `{\n\tauto_https off\n}\nbackup.example.org ${proxy}`,
      ":8000\nreverse_proxy 127.0.0.1:8001\n",
    ]) {
      expect(with_(bad)).toEqual([WIDE]);
    }
    expect(with_(`# http://backup.example.org ${proxy.replaceAll("\n", " ")}`)).toEqual([]);
    expect(rules(behindCaddy)).toEqual([WIDE]);
  });

  it("with an unknown helper that could pass it on is an error", () => {
    const helper =
      (settings: object): Change =>
      (_, file) => {
        file.services.socat = { image: `socat@${DIGEST}`, ...settings };
      };
    expect(rules(helper({ network_mode: "host" }))).toEqual([WIDE]);
    expect(rules(helper({ ports: ["8080:80"] }))).toEqual([WIDE]);
    expect(rules(helper({ ports: ["127.0.0.1:8080:80"] }))).toEqual([]);
  });
});

describe("an image", () => {
  it.each([
    ["a tag", "restic/rest-server:0.14.0"],
    ["nothing", "restic/rest-server"],
    ["a digest that is cut", `restic/rest-server@sha256:${"a".repeat(63)}`],
    ["a variable", "restic/rest-server@${DIGEST}"],
    ["a digest in the tag's place", `restic/rest-server:sha256-${"a".repeat(64)}`],
  ])("with %s is not pinned", (_, image) => {
    expect(rules((server) => (server.image = image))).toEqual([UNPINNED]);
  });

  it("of any service counts, and so does one that is built there", () => {
    expect(rules((_, file) => (file.services.helper = { image: "busybox" }))).toEqual([UNPINNED]);
    expect(rules((server) => (server.build = "."))).toEqual([UNPINNED]);
    expect(rules((server) => (server.image = DIGEST))).toEqual([]);
  });
});

describe("a container", () => {
  it.each<[string, object]>([
    ["privileged", { privileged: true }],
    ["privileged by a text", { privileged: "true" }],
    ["privileged by a variable", { privileged: "${P}" }],
    ["privileged in a hook", { post_start: [{ command: "id", privileged: true }] }],
    ["in the machine's process namespace", { pid: "host" }],
    ["in the machine's ipc namespace", { ipc: "host" }],
    ["in another container's process namespace", { pid: "container:sshd" }],
    ["in the machine's user namespace", { userns_mode: "host" }],
    ["given all capabilities", { cap_add: ["ALL"] }],
    ["given a capability", { cap_add: ["CAP_SYS_ADMIN"] }],
    ["given what a tunnel has", { cap_add: ["NET_ADMIN"], devices: ["/dev/net/tun"] }],
    ["given a disk", { devices: ["/dev/sda:/dev/sda"] }],
    ["given devices by rule", { device_cgroup_rules: ["a *:* rwm"] }],
    ["handed the engine's socket", { volumes: ["/var/run/docker.sock:/x"] }],
    [
      "handed the engine's socket in the long form",
      { volumes: [{ type: "bind", source: "/run/docker.sock", target: "/x" }] },
    ],
    ["handed the engine's socket by a switch", { use_api_socket: true }],
    ["handed the directory of the socket", { volumes: ["/var/run:/x"] }],
    ["handed the machine", { volumes: ["/:/x:ro"] }],
    ["handed /etc in a roundabout way", { volumes: ["/.//etc/:/x"] }],
    ["handed a place that leads up", { volumes: ["/srv/../etc:/x"] }],
    ["handed a file of the system", { volumes: ["/etc/shadow:/x"] }],
    ["handed somebody's keys", { volumes: ["/home/brother/.ssh:/x"] }],
    ["handed somebody's home", { volumes: ["~:/x"] }],
    ["handed all of /srv", { volumes: ["/srv/:/x"] }],
    ["handed what a variable says", { volumes: ["${PLACE}:/x"] }],
    ["handed another's volumes", { volumes_from: ["container:x"] }],
    ["without seccomp", { security_opt: ["seccomp:unconfined", "no-new-privileges:true"] }],
    ["without AppArmor", { security_opt: ["apparmor=unconfined", "no-new-privileges"] }],
  ])("%s is an error", (_, settings) => {
    expect(rules((server) => Object.assign(server, settings))).toEqual([LOOSE]);
    expect(
      rules((__, file) => (file.services.helper = { image: `busybox@${DIGEST}`, ...settings })),
    ).toEqual([LOOSE]);
  });

  it("that is handed the socket under a volume's name is an error", () => {
    const named: Change = (server, file) => {
      server.volumes = ["harmless:/x"];
      file.volumes = {
        harmless: { driver_opts: { type: "none", o: "bind", device: "/var/run/docker.sock" } },
      };
    };
    expect(rules(named)).toEqual([LOOSE]);
  });

  it("of a tunnel may make its network interface, and nothing more", () => {
    const tunnel = (settings: object) =>
      rules(
        (_, file) =>
          (file.services.tunnel = { image: `linuxserver/wireguard@${DIGEST}`, ...settings }),
      );
    expect(tunnel({ cap_add: ["NET_ADMIN"], devices: ["/dev/net/tun:/dev/net/tun"] })).toEqual([]);
    expect(tunnel({ cap_add: ["NET_ADMIN", "SYS_MODULE"] })).toEqual([LOOSE]);
    expect(tunnel({ devices: ["/dev/mem"] })).toEqual([LOOSE]);
    expect(tunnel({ privileged: true })).toEqual([LOOSE]);
    expect(tunnel({ cap_add: ["NET_ADMIN"], network_mode: "host" })).toEqual([LOOSE]);
  });

  it("of the server that could be confined more is a warning", () => {
    for (const name of ["cap_drop", "security_opt", "user"]) {
      expect(rules((server) => void Reflect.deleteProperty(server, name))).toEqual([
        "warning peer-container-confined",
      ]);
    }
  });
});

describe("a user of an SFTP directory", () => {
  const rule = "error sftp-confined files";
  const changed = (from: string | RegExp, to: string) =>
    toldOf(sftpTarget((text) => text.replace(from, to))).filter((each) => each === rule);

  it.each<[string, string | RegExp, string]>([
    [
      "with a shell",
      "ForceCommand internal-sftp -P symlink,hardlink -u 022",
      "ForceCommand /bin/sh",
    ],
    ["that nothing forces into SFTP", /ForceCommand.*/, ""],
    ["outside of a chroot", /ChrootDirectory.*/, "ChrootDirectory none"],
    ["in a chroot that is the machine", /ChrootDirectory.*/, "ChrootDirectory /"],
    ["that is a way to other machines", "DisableForwarding yes", "DisableForwarding no"],
    ["with a password", "PasswordAuthentication no", "PasswordAuthentication yes"],
    ["with a terminal", "PermitTTY no", "PermitTTY yes"],
    ["that may write as a host", " -R", ""],
    [
      "let out by a block that comes first",
      /^/,
      `Match User ${sftpUser("fort")}\n  ForceCommand /bin/sh\n`,
    ],
    ["let out for everybody", /^/, "PasswordAuthentication yes\n"],
    ["let out by an address", /^/, "Match Address *\n"],
    ["that nobody names", /[^]*/, ""],
  ])("%s is an error", (_, from, to) => {
    expect(changed(from, to)).toEqual([rule]);
  });

  it("whose settings cannot be seen is an error", () => {
    const { inputs, ...rest } = sftpTarget();
    expect(toldOf({ ...rest, inputs: { ...inputs, files: MASKED } })).toContain(rule);
  });
});

describe("what stands beside the server as the program makes it", () => {
  const listen = { address: "0.0.0.0", port: 8443, wildcard: true };
  const upstream = { address: "127.0.0.1", port: 8000, wildcard: false };
  const options = {
    ...{ project: "fort", image: `restic/rest-server@${DIGEST}`, maxSizeGiB: 1 },
    ...{ repositories: "/srv/fort/repositories", auth: "/srv/fort/auth" },
  };

  it.each(["self-signed", "acme"] as const)("is well: Caddy with %s TLS", (kind) => {
    const caddy = {
      ...{ kind, image: `caddy:2@${DIGEST}`, host: "backup.example.org", authority: "fort" },
      ...{ listen, upstream, httpPort: 80 },
    };
    const places = { files: "/srv/fort/caddy", authority: "/srv/fort/ca", data: "/srv/fort/data" };
    const text = composeFile({ ...options, listen, tls: { caddy, places } });
    expect(toldOf(peer(text, caddyFiles(caddy)))).toEqual([]);
  });

  it.each(["tailscale", "wireguard"] as const)("is well: a tunnel of %s", (type) => {
    const tunnel = {
      ...{ type, image: `somebody/anything@${DIGEST}`, port: 51_820, address: "10.9.0.2" },
      ...{ files: "/srv/fort/t", key: "/srv/fort/k", state: "/srv/fort/s", userspace: true },
    };
    const text = composeFile({ ...options, listen: { ...listen, port: 8000 }, tunnel });
    expect(toldOf(peer(text))).toEqual([]);
  });
});

describe("what is told of a peer", () => {
  it("names the service, and holds nothing that steers a terminal", () => {
    const text = stringify({
      services: {
        "rest-server": { image: "evil\u001b[2J", privileged: true, command: "--log=a" },
      },
    });
    const findings = judge(withResources(peer(text)));
    expect(findings.map(({ rule }) => rule)).toEqual(["peer-append-only"]);
    for (const { message } of findings) expect(message).not.toMatch(/\p{C}|undefined|\[object/u);
  });
});
