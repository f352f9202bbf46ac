/**
 * Follows the pages of docs/runbooks word for word, in shells of the sandbox's machines.
 *
 * How a page is written:
 * - The first `sh` block has settings alone, a line each: `HOST=q   # the host`. The reader edits them,
 *   and pastes the block on every machine. The test puts the sandbox's values in their place (those of
 *   `Shells.settings`, and its own) and changes nothing else.
 * - `**On your own machine:**` (or "the hub", "the host", "the peer", "a new laptop") says for which
 *   machine the `sh` blocks below are, until the next such line or heading. "the host" is $HOST.
 * - A `text` block is what the block above it says: its lines in this order, `…` for anything, others
 *   may be between. `sh fails` is a block whose last command is meant to fail.
 * - Variables and the folder stay from block to block of one machine. Nobody answers questions: say
 *   `--yes`, after a block that shows what would be done. Blocks of `yaml`, `nix`, `json` are not run.
 *
 * How a test follows it:
 *
 *     const runbooks = await Runbooks.open();                  // ursula and q: backed up, mirrored
 *     await runbooks.shells.lose("q");                         // gone for real
 *     await runbooks.follow("host-lost", options);              // all of it, or the sections in `only`
 *     expect(runbooks.unfollowed("host-lost")).toEqual([]);    // every block was run
 *     expect(await runbooks.end()).toEqual([]);
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { makeCheckout, withOperator, type Checkout } from "../../../sandbox/shells/checkout.ts";
import { Shells } from "../../../sandbox/shells/shells.ts";
import { PROJECT } from "../../../sandbox/world.ts";
import { startCluster, type Cluster, type Machines, type MoreTargets } from "../cluster.ts";
import { backUp } from "../family.ts";
import { missingLine, readPage, type Block, type Page } from "./page.ts";

/** The machines as pages call them. */
const MACHINES: Readonly<Record<string, string>> = {
  "your own machine": "operator",
  "a new laptop": "laptop",
  "the hub": "hub",
  "the peer": "peer",
};

/** How a page is followed. */
export interface FollowOptions {
  /** The sections to follow; all when left out. */
  readonly only?: readonly string[];
  /** Settings that are not the sandbox's usual ones. Each must be one of the page's. */
  readonly settings?: Readonly<Record<string, string>>;
  /** What is in every machine's environment beforehand; `$NAME` stands for what was there. */
  readonly env?: Readonly<Record<string, string>>;
  /** Machines by further names that the page has for them. */
  readonly machines?: Readonly<Record<string, string>>;
}

/** A shell on a machine in which blocks are run one after another. */
class Terminal {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: Interface;

  constructor(enter: string, machine: string) {
    const driver = join(PROJECT, "test", "e2e", "runbooks", "driver.sh");
    this.#child = spawn("sh", [enter, machine, driver], {
      stdio: ["ignore", "inherit", "inherit", "pipe", "pipe"],
    });
    this.#lines = createInterface({ input: this.#child.stdio[4] as Readable });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** Runs a file of commands. Gives whether it went as it is meant to. */
  async run(file: string, fails: boolean): Promise<boolean> {
    (this.#child.stdio[3] as Writable).write(`${fails ? "fails" : "works"} ${file}\n`);
    const answer = await this.#answers.next();
    return answer.done !== true && (answer.value !== "0") === fails;
  }

  async end(): Promise<void> {
    const ended = this.#child.exitCode ?? this.#child.signalCode;
    (this.#child.stdio[3] as Writable).end();
    if (ended === null) await once(this.#child, "exit");
    this.#lines.close();
  }
}

/** A cluster with everything in it, and the pages that are followed there. */
export class Runbooks {
  readonly cluster: Cluster;
  readonly shells: Shells;
  readonly checkout: Checkout;
  readonly #followed = new Set<string>();
  #count = 0;

  private constructor(cluster: Cluster, shells: Shells, checkout: Checkout) {
    this.cluster = cluster;
    this.shells = shells;
    this.checkout = checkout;
  }

  /** Stands a cluster up, deploys it, backs every host up, and mirrors. */
  static async open(
    names: readonly string[] = ["ursula", "q"],
    more: (machines: Machines) => Promise<MoreTargets> | MoreTargets = () => ({}),
  ): Promise<Runbooks> {
    let checkout: Checkout | undefined;
    const cluster = await startCluster(names, async (machines) => {
      checkout = await makeCheckout(machines.world);
      return { project: checkout.folder, ...(await more(machines)) };
    });
    if (checkout === undefined) throw new Error("There is no checkout");
    const { world, stack, hosts, engine, bundle, settings } = cluster;
    Object.assign(settings, await withOperator(world, settings));
    stack.configure(settings);
    await cluster.up();
    const peers = Object.entries(settings["fort-offsite:targets"] ?? {}).flatMap(
      ([name, { dataDir }]) => (typeof dataDir === "string" ? [[name, dataDir] as const] : []),
    );
    const shells = await Shells.open({
      ...{ world, stack, hosts, engine, bundle, checkout },
      peers: Object.fromEntries(peers),
      openHub: () => cluster.openHub(),
    });
    for (const { name } of hosts) await shells.deploy(name);
    for (const { name } of hosts) await backUp(cluster, name, true);
    await shells.hub.run("mirror");
    return new Runbooks(cluster, shells, checkout);
  }

  /**
   * Follows a page from the top.
   *
   * @returns everything that was said.
   * @throws Error at the first block that fails, or does not say what the page promises.
   */
  async follow(name: string, options: FollowOptions = {}): Promise<string> {
    const page = readPage(name);
    const settings = this.#settings(name, page, options.settings ?? {});
    const terminals = new Map<string, Terminal>();
    const said: string[] = [];
    try {
      for (const [index, block] of page.blocks.entries()) {
        if (options.only !== undefined && !options.only.includes(block.section)) continue;
        const machine =
          options.machines?.[block.machine] ??
          MACHINES[block.machine] ??
          (block.machine === "the host" ? settings.get("HOST") : undefined) ??
          block.machine;
        let terminal = terminals.get(machine);
        if (terminal === undefined) {
          terminal = new Terminal(this.shells.enter, machine);
          terminals.set(machine, terminal);
          const exports = Object.entries(options.env ?? {}).map(
            ([key, value]) => `export ${key}="${value}"`,
          );
          const lines = [
            ...exports,
            ...this.#settingsOn(machine, settings, options.settings ?? {}),
          ];
          await this.#run(name, terminal, { ...block, commands: lines.join("\n"), expected: [] });
        }
        said.push(await this.#run(name, terminal, block));
        this.#followed.add(`${name}: ${index}`);
      }
    } finally {
      for (const terminal of terminals.values()) await terminal.end();
    }
    return said.join("\n");
  }

  /** The blocks of a page that no test has followed. */
  unfollowed(name: string): string[] {
    return readPage(name).blocks.flatMap(({ section, commands }, index) => {
      return this.#followed.has(`${name}: ${index}`) ? [] : [`${section}: ${commands}`];
    });
  }

  /** Takes all of it down; what went wrong on the way. */
  end(): Promise<readonly Error[]> {
    return this.cluster.end();
  }

  /** The page's settings with the sandbox's values. */
  #settings(
    name: string,
    page: Page,
    own: Readonly<Record<string, string>>,
  ): ReadonlyMap<string, string> {
    const unknown = Object.keys(own).filter((key) => !page.settings.has(key));
    if (unknown.length > 0) throw new Error(`${name} has no setting ${unknown.join(", ")}`);
    const host = own.HOST ?? page.settings.get("HOST");
    const here: Record<string, string> = { ...this.shells.settings(host), ...own };
    return new Map([...page.settings].map(([key, value]) => [key, here[key] ?? value]));
  }

  /** The lines of the settings on one machine: its own file system and keys are its own. */
  #settingsOn(
    machine: string,
    settings: ReadonlyMap<string, string>,
    own: Readonly<Record<string, string>>,
  ): string[] {
    const { HUB = "" } = this.shells.settings();
    const here = this.shells.settings(machine === "hub" ? HUB : machine);
    const isHost = machine === "hub" || this.cluster.hosts.some(({ name }) => name === machine);
    return [...settings].map(([key, value]) => {
      const isOwn = isHost && key !== "HOST" && own[key] === undefined;
      return `${key}=${(isOwn ? here[key] : undefined) ?? value}`;
    });
  }

  async #run(name: string, terminal: Terminal, block: Block): Promise<string> {
    this.#count += 1;
    const { world } = this.cluster;
    world.folder("runbooks");
    const { section, machine, commands, fails, expected } = block;
    const file = world.file(join("runbooks", `${this.#count}.sh`), `${commands}\n`);
    const well = await terminal.run(file, fails);
    const output = readFileSync(`${file}.out`, "utf8");
    const where = `docs/runbooks/${name}.md, ${section}, on ${machine}:\n${commands}\n`;
    if (!well) throw new Error(`${where}${fails ? "did not fail" : "failed"}:\n${output}`);
    const missing = missingLine(output, expected);
    if (missing !== undefined) {
      throw new Error(`${where}does not say "${missing}", but:\n${output}`);
    }
    return output;
  }
}
