/** What a runbook is for: machines that are gone, and what was kept elsewhere. */
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { Host } from "../hosts.ts";
import { newSshKey } from "../peer.ts";
import type { Stack } from "../stack.ts";
import type { World } from "../world.ts";

/** Where the four things are that the README says to keep elsewhere. */
export function keptIn(world: World): string {
  return join(world.directory, "kept");
}

/** Keeps them elsewhere as they are now: passphrase, settings, state, restic's passwords. */
export function keepElsewhere(world: World, stack: Stack, hosts: readonly Host[]): void {
  const kept = keptIn(world);
  rmSync(join(kept, "state"), { recursive: true, force: true });
  mkdirSync(join(kept, "restic-passwords"), { recursive: true, mode: 0o700 });
  cpSync(stack.env.PULUMI_CONFIG_PASSPHRASE_FILE ?? "", join(kept, "passphrase"));
  cpSync(stack.configFile, join(kept, basename(stack.configFile)));
  cpSync(join(world.directory, "state"), join(kept, "state"), { recursive: true });
  for (const { name, passwordFile } of hosts) {
    // Of a machine that is lost already it is kept here alone.
    if (!existsSync(passwordFile)) continue;
    cpSync(passwordFile, join(kept, "restic-passwords", name));
  }
}

/** A host's disk has died. In its place stands a new machine, with a key of its own and no files. */
export async function loseHost(world: World, host: Host): Promise<void> {
  const folder = world.folder("hosts", host.name);
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
  rmSync(join(world.directory, "cache", host.name), { recursive: true, force: true });
  mkdirSync(host.data);
  await newSshKey(host.identityFile, host.name);
}

/** What the hub kept: repositories, state, opened secrets. */
export function loseHub(world: World): void {
  rmSync(join(world.directory, "hub"), { recursive: true, force: true });
}

/** What the operator had at home: checkout, state, passphrase, bundle. */
export function loseOperator(world: World, stack: Stack, bundle: string): void {
  const gone = [join(world.directory, "state"), join(world.directory, "operator"), bundle];
  const file = stack.env.PULUMI_CONFIG_PASSPHRASE_FILE ?? "";
  for (const path of [...gone, file]) rmSync(path, { recursive: true, force: true });
  if (existsSync(stack.configFile)) throw new Error(`${stack.configFile} is still there`);
}
