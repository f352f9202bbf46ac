import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import type { B2Emulator } from "../../../sandbox/b2/index.ts";

const root = path.resolve(import.meta.dirname, "../../..");

/** What a run of Pulumi said. */
export interface Run {
  failed: boolean;
  /** Standard output and standard error. */
  output: string;
}

/** A resource in an exported state. */
export interface StateResource {
  type: string;
  urn: string;
  id?: string;
  inputs: Record<string, unknown>;
  outputs: Record<string, unknown>;
}

/** A project with a program of its own, a file backend and one stack. */
export interface Project {
  folder: string;
  /** Replaces the program: the body of a module that has `b2`. */
  program(body: string): Promise<void>;
  /** Runs Pulumi; fails the test unless `mayFail` is set. */
  run(args: string[], options?: { mayFail?: boolean; env?: Record<string, string> }): Promise<Run>;
  /** The resources of the package, secrets in clear text. */
  resources(): Promise<StateResource[]>;
  /** Forgets all that was deployed, as a new stack would. */
  reset(): Promise<void>;
  remove(): Promise<void>;
}

/**
 * Makes a project inside of the repository, where `@pulumi/b2` resolves as it does for its users.
 *
 * @throws Error - When there is no `pulumi` on PATH.
 */
export async function startProject(emulator: B2Emulator): Promise<Project> {
  const version = await execa("pulumi", ["version"], { reject: false });
  if (version.failed) {
    throw new Error('These tests need "pulumi" on PATH; npm run tools shows how it is had.');
  }
  await mkdir(path.join(root, ".sandbox"), { recursive: true });
  const folder = await mkdtemp(path.join(root, ".sandbox/b2-lifecycle-"));
  await mkdir(path.join(folder, "state"));
  const files = {
    "package.json": JSON.stringify({ name: "lifecycle", type: "module", main: "index.ts" }),
    "Pulumi.yaml": [
      "name: lifecycle",
      "runtime:",
      "  name: nodejs",
      "  options: { typescript: false, nodeargs: --import tsx }",
      "plugins:",
      "  providers:",
      `    - { name: b2, path: ${path.relative(folder, path.join(root, "sdks/b2"))} }`,
    ].join("\n"),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(folder, name), text);
  const environment = {
    PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}`,
    PULUMI_CONFIG_PASSPHRASE: "test",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    // The language host that can be had from the Go proxy does not know of nodeargs.
    NODE_OPTIONS: "--import tsx",
    B2_ENDPOINT: emulator.url,
    B2_APPLICATION_KEY_ID: emulator.applicationKeyId,
    B2_APPLICATION_KEY: emulator.applicationKey,
  };
  const project: Project = {
    folder,
    async program(body) {
      const imports =
        'import * as pulumi from "@pulumi/pulumi";\nimport * as b2 from "@pulumi/b2";\n';
      await writeFile(path.join(folder, "index.ts"), `${imports}void pulumi; void b2;\n${body}\n`);
    },
    async run(args, { mayFail = false, env = {} } = {}) {
      const result = await execa("pulumi", [...args, "--non-interactive"], {
        cwd: folder,
        env: { ...environment, ...env },
        all: true,
        reject: false,
      });
      const run = { failed: result.failed, output: result.all };
      if (run.failed && !mayFail) {
        throw new Error(`pulumi ${args.join(" ")} failed:\n${run.output}`);
      }
      return run;
    },
    async resources() {
      const { output } = await project.run(["stack", "export", "--show-secrets"]);
      const state = JSON.parse(output.slice(output.indexOf("{"))) as {
        deployment: { resources?: StateResource[] };
      };
      return (state.deployment.resources ?? []).filter(({ type }) => type.startsWith("b2:"));
    },
    async reset() {
      await rm(path.join(folder, "state"), { recursive: true });
      await cp(path.join(folder, "new"), path.join(folder, "state"), { recursive: true });
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
  await project.program("");
  await project.run(["stack", "init", "test"]);
  await cp(path.join(folder, "state"), path.join(folder, "new"), { recursive: true });
  return project;
}
