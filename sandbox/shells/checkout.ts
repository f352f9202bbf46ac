/** The operator's own copy of this project, cloned as a person clones it. */
import { cpSync } from "node:fs";
import { join, relative } from "node:path";
import { execa } from "execa";
import { newSshKey, publicKey } from "../peer.ts";
import { PROJECT, type World } from "../world.ts";

/** What is no part of the project. */
const OUTSIDE = new Set(["node_modules", ".git", ".sandbox", "dist"]);

/** A repository with the project as it is now, and a clone of it. */
export interface Checkout {
  /** For `git clone`. */
  readonly repository: string;
  readonly folder: string;
}

/** Makes both. What is not committed yet is in them too. */
export async function makeCheckout(world: World): Promise<Checkout> {
  const repository = world.folder("published", "fort-offsite");
  cpSync(PROJECT, repository, {
    recursive: true,
    filter: (path) =>
      !relative(PROJECT, path)
        .split("/")
        .some((name) => OUTSIDE.has(name)),
  });
  const git = ["-C", repository, "-c", "user.name=sandbox", "-c", "user.email=sandbox@localhost"];
  await execa("git", [...git, "init", "--quiet"]);
  await execa("git", [...git, "add", "--all"]);
  await execa("git", [...git, "commit", "--quiet", "--message", "sandbox: as it is now"]);
  const folder = join(world.folder("operator"), "fort-offsite");
  await execa("git", ["clone", "--quiet", repository, folder]);
  await execa("ln", ["-s", join(PROJECT, "node_modules"), join(folder, "node_modules")]);
  return { repository, folder };
}

/** The settings below `config:`, with the operator's own key among those that open the bundle. */
export async function withOperator(
  world: World,
  config: Readonly<Record<string, unknown>>,
): Promise<Record<string, unknown>> {
  const key = await newSshKey(join(world.folder("operator", ".ssh"), "id_ed25519"), "operator");
  const seal = config["fort-offsite:seal"] as Readonly<Record<string, unknown>>;
  return { ...config, "fort-offsite:seal": { ...seal, operators: [publicKey(key)] } };
}
