/** A tailnet of the test's own: a real Headscale with TLS and a relay, and a tailscaled for the hub. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { stringify } from "yaml";
import { freePort, waitFor, type World } from "../../sandbox/world.ts";
import { asRoot } from "./tunnel-world.ts";

/** The programs that a tailnet is made of. */
export type TailnetPrograms = Readonly<Record<"headscale" | "tailscale" | "tailscaled", string>>;

/** A tailnet that stands until its world ends. */
export class Tailnet {
  /** Headscale's, which containers reach too. */
  readonly url: string;
  /** In PEM: who vouches for Headscale. */
  readonly authorityFile: string;
  /** The addresses that are given out, in order. */
  readonly prefix: string;
  readonly #world: World;
  readonly #programs: TailnetPrograms;
  readonly #folder: string;

  private constructor(world: World, programs: TailnetPrograms, address: string, port: number) {
    this.#world = world;
    this.#programs = programs;
    this.#folder = world.folder("tailnet");
    this.url = `https://${address}:${port}`;
    this.authorityFile = join(this.#folder, "authority.pem");
    this.prefix = `100.${address.split(".")[1] ?? ""}.${address.split(".")[2] ?? ""}`;
  }

  static async start(world: World, programs: TailnetPrograms): Promise<Tailnet> {
    const port = await freePort();
    // An address of this machine that a container reaches wherever its network is.
    const address = `10.98.${1 + (port % 250)}.1`;
    await asRoot("ip", ["address", "add", `${address}/32`, "dev", "lo"]);
    world.cleanup.add("the tailnet's address", async () => {
      await asRoot("ip", ["address", "del", `${address}/32`, "dev", "lo"]);
    });
    const tailnet = new Tailnet(world, programs, address, port);
    await tailnet.#serve(address, port);
    return tailnet;
  }

  /** Sets the access rules. */
  async allow(policy: object): Promise<void> {
    writeFileSync(join(this.#folder, "policy.json"), JSON.stringify(policy));
    await this.#headscale("policy", "set", "--file", join(this.#folder, "policy.json"));
  }

  /** Makes an auth key, reusable and for ephemeral nodes; without a tag they are the user's own. */
  async key(tag?: string): Promise<string> {
    const args = ["preauthkeys", "create", "--user", "1", "--reusable", "--ephemeral"];
    const tags = tag === undefined ? [] : ["--tags", tag];
    const { key } = JSON.parse(await this.#headscale(...args, ...tags, "--output", "json")) as {
      key: string;
    };
    return key;
  }

  /** What Headscale knows of its nodes. */
  async nodes(): Promise<
    { id: number; given_name: string; online: boolean; ip_addresses: string[] }[]
  > {
    return JSON.parse(await this.#headscale("nodes", "list", "--output", "json")) as never;
  }

  /** Forgets a node, as it forgets an ephemeral one that was away for long. */
  async forget(id: number): Promise<void> {
    await this.#headscale("nodes", "delete", "--identifier", String(id), "--force");
  }

  /** Joins this machine as the hub, with a network interface as on a real one. */
  async joinAsHub(): Promise<void> {
    const socket = join(this.#folder, "hub.sock");
    const tun = `ts${this.#world.id}`;
    const daemon = this.#world.start("tailscaled", "env", [
      `SSL_CERT_FILE=${this.authorityFile}`,
      this.#programs.tailscaled,
      `--tun=${tun}`,
      `--socket=${socket}`,
      `--statedir=${join(this.#folder, "hub")}`,
      "--port=0",
      "--no-logs-no-support",
    ]);
    this.#world.cleanup.add("the hub's rules of routing", async () => {
      await asRoot(this.#programs.tailscaled, ["--cleanup", `--tun=${tun}`, `--socket=${socket}`]);
    });
    const up = [
      "up",
      `--login-server=${this.url}`,
      `--auth-key=${await this.key("tag:backup-hub")}`,
      "--hostname=ursula",
      "--accept-dns=false",
      // This machine's firewall is not this test's to change.
      "--netfilter-mode=off",
      "--timeout=60s",
    ];
    await waitFor(
      "The hub's login",
      async () => {
        const { exitCode } = await asRoot(this.#programs.tailscale, [`--socket=${socket}`, ...up]);
        return exitCode === 0;
      },
      { timeout: 90_000, failed: daemon.failure },
    );
  }

  async #serve(address: string, port: number): Promise<void> {
    const folder = this.#folder;
    await execa("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-days", "2", "-subj", "/CN=tailnet", "-addext", `subjectAltName=IP:${address}`],
      ...["-keyout", join(folder, "key.pem"), "-out", this.authorityFile],
    ]);
    const config = {
      server_url: this.url,
      listen_addr: `${address}:${port}`,
      metrics_listen_addr: "",
      grpc_listen_addr: `127.0.0.1:${await freePort()}`,
      noise: { private_key_path: join(folder, "noise.key") },
      prefixes: { v4: `${this.prefix}.0/24`, allocation: "sequential" },
      derp: {
        server: {
          enabled: true,
          region_id: 999,
          region_code: "test",
          region_name: "test",
          stun_listen_addr: `${address}:${await freePort()}`,
          private_key_path: join(folder, "derp.key"),
          automatically_add_embedded_derp_region: true,
          ipv4: address,
        },
        urls: [],
        paths: [],
        auto_update_enabled: false,
      },
      disable_check_updates: true,
      node: { ephemeral: { inactivity_timeout: "30m" } },
      database: { type: "sqlite", sqlite: { path: join(folder, "db.sqlite") } },
      tls_cert_path: this.authorityFile,
      tls_key_path: join(folder, "key.pem"),
      log: { level: "info" },
      policy: { mode: "database" },
      dns: { magic_dns: false, override_local_dns: false, base_domain: "tailnet.test" },
      unix_socket: join(folder, "headscale.sock"),
      unix_socket_permission: "0700",
    };
    mkdirSync(dirname(join(folder, "config.yaml")), { recursive: true });
    writeFileSync(join(folder, "config.yaml"), stringify(config));
    const daemon = this.#world.start("headscale", this.#programs.headscale, [
      "serve",
      "--config",
      join(folder, "config.yaml"),
    ]);
    await waitFor(
      "Headscale's start",
      async () => (await this.#try("users", "list")) !== undefined,
      { timeout: 60_000, failed: daemon.failure },
    );
    await this.#headscale("users", "create", "fort");
  }

  async #try(...args: string[]): Promise<string | undefined> {
    const config = join(this.#folder, "config.yaml");
    const { stdout, exitCode } = await execa(
      this.#programs.headscale,
      [...args, "--config", config],
      { reject: false },
    );
    return exitCode === 0 ? stdout : undefined;
  }

  async #headscale(...args: string[]): Promise<string> {
    const config = join(this.#folder, "config.yaml");
    const { stdout } = await execa(this.#programs.headscale, [...args, "--config", config]);
    return stdout;
  }
}
