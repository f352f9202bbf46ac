/** A hub, a peer and a cloud with one host whose backups have databases in them. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { z } from "zod";
import type { settingsSchema } from "../../../hub/settings.ts";
import type { HostControl, HostDrill, ThiefReport } from "../../../hub/drill/report.ts";
import type { Cloud } from "../cloud.ts";
import { PASSWORD, restic, World } from "../world.ts";

export const HOST = "q";

/** What a restore key may do. */
const RESTORE = ["listBuckets", "listFiles", "readFiles"];

/** What pg_dump wrote of a database with a table, a function, a policy and two extensions. */
export const DUMP = readFileSync(join(import.meta.dirname, "outline.sql"), "utf8");

/** What `drill --json` came to. */
export interface DrillRun {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly drills: HostDrill[];
  readonly controls: HostControl[];
}

export class DrillWorld extends World {
  /** Where drills restore to. */
  readonly scratch = mkdtempSync(join(tmpdir(), "offsite-scratch-"));
  /** What the host backs up. */
  readonly data = join(this.root, "host");

  constructor() {
    super([HOST]);
    // PostgreSQL, as nobody, must be able to pass.
    chmodSync(this.scratch, 0o711);
    const password = join(this.root, "password");
    writeFileSync(password, `${PASSWORD}\n`);
    this.settings = { passwordFiles: { [HOST]: password } };
  }

  /** Adds the restore key of a cloud, made for the test or given, to the hub's rclone.conf. */
  async useRestoreKey(cloud: Cloud, key?: string): Promise<void> {
    const lines =
      key === undefined ? await cloud.key(RESTORE) : `account = 000000000000a\nkey = ${key}\n`;
    const remote = `[cloud-restore]\ntype = b2\nendpoint = ${cloud.b2.url}\n${lines}`;
    const path = join(this.root, "rclone.conf");
    const [before = ""] = readFileSync(path, "utf8").split("[cloud-restore]");
    writeFileSync(path, `${before}\n${remote}`);
    const target = this.credentials.targets.cloud;
    if (target?.type === "b2") target.remotes.restore = "cloud-restore";
  }

  /** Itself: the compiler takes execa's types of the two classes for different ones. */
  asWorld(): World {
    return this as World;
  }

  /** Runs `drill --thief --json`. */
  async thief(...args: string[]) {
    const { exitCode, stdout, stderr } = await this.startDrill("--thief", ...args);
    const { thefts } = JSON.parse(stdout) as { thefts: ThiefReport[] };
    return { exitCode, stdout, stderr, thefts };
  }

  /** Settings of drills, beside the password. */
  setDrill(drill: NonNullable<z.input<typeof settingsSchema>["drill"]>): void {
    this.settings = { ...this.settings, drill };
  }

  /** For drills that are not about it: no server for the dump. */
  ignoreDump(): void {
    this.setDrill({ ignore: { [HOST]: [join(this.data, "outline.sql")] } });
  }

  override async close(): Promise<void> {
    await super.close();
    rmSync(this.scratch, { recursive: true, force: true });
  }

  override async addPeer(options: Parameters<World["addPeer"]>[0] = {}): Promise<void> {
    await super.addPeer(options);
    const peer = this.manifest.targets.peer;
    if (peer !== undefined) {
      peer.repositories[HOST] = `rest:http://127.0.0.1:${this.peerPort}/${HOST}/`;
    }
  }

  /** Writes what a host has in /var/lib: a database, a dump, and files with unusual rights. */
  async furnish(): Promise<void> {
    mkdirSync(join(this.data, "app", "closed"), { recursive: true });
    writeFileSync(join(this.data, "app", "closed", "secret"), "only the host's\n", { mode: 0o400 });
    writeFileSync(join(this.data, "odd [name] $HOME ?.txt"), "odd\n");
    writeFileSync(join(this.data, "outline.sql"), DUMP);
    await execa("sqlite3", [
      join(this.data, "app", "vikunja.db"),
      "CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT);" +
        "INSERT INTO task (title) SELECT hex(randomblob(200)) FROM generate_series(1, 200);" +
        "CREATE INDEX titles ON task (title);",
    ]);
    await execa("chmod", ["555", join(this.data, "app", "closed")]);
  }

  /** Backs the host up to the hub. */
  async save(...paths: string[]): Promise<void> {
    const what = paths.length === 0 ? [this.data] : paths;
    await restic(this, this.at(HOST), "backup", "--quiet", "--host", HOST, ...what);
  }

  /** Runs `offsite-hub drill --json`. */
  async drill(...args: string[]): Promise<DrillRun> {
    const run = await this.startDrill(...args);
    const report = (run.stdout === "" ? {} : JSON.parse(run.stdout)) as Partial<DrillRun>;
    const { exitCode, stdout, stderr } = run;
    const { drills = [], controls = [] } = report;
    return { exitCode, stdout, stderr, drills, controls };
  }

  startDrill(...args: string[]) {
    return this.start("drill", "--json", "--scratch", this.scratch, ...args);
  }
}
