/** The outside programs of a run, ready and first on PATH. */
import { join } from "node:path";
import {
  binDirectory,
  ensureCommandPlugin,
  ensurePrograms,
  type Program,
  type ProgramName,
} from "../tools/index.ts";
import type { EnginePrograms } from "./engine.ts";
import { PROJECT } from "./world.ts";

const NAMES = [
  "pulumi",
  "pulumi-language-nodejs",
  "restic",
  "rest-server",
  "rclone",
  "age",
  "age-keygen",
  "docker",
  "docker-compose",
  "busybox",
  "sshd",
  "ssh",
  "ssh-keygen",
] as const satisfies readonly ProgramName[];

/** What {@link Programs.ensure} made ready. */
export class Programs {
  readonly byName: ReadonlyMap<ProgramName, Program>;
  /** The program of the plugin `command`. */
  readonly commandPlugin: string;
  /** Whether that is the official one. */
  readonly isOfficial: boolean;

  private constructor(byName: ReadonlyMap<ProgramName, Program>, official: string | undefined) {
    this.byName = byName;
    this.isOfficial = official !== undefined;
    const standIn = join(PROJECT, "sandbox", "plugins", "command", "pulumi-resource-command");
    this.commandPlugin = official ?? standIn;
  }

  /** Gets the programs ready, and puts them first on PATH. */
  static async ensure(signal: AbortSignal, say: (line: string) => void): Promise<Programs> {
    const byName = await ensurePrograms(NAMES, {
      signal,
      onProgress: ({ program, step }) => say(`${program}: ${step}`),
    });
    process.env.PATH = `${await binDirectory(byName)}:${process.env.PATH ?? ""}`;
    const official = await ensureCommandPlugin({ signal }, (step) =>
      say(`command plugin: ${step}`),
    );
    return new Programs(byName, official);
  }

  /** Where a program is. */
  path(name: (typeof NAMES)[number]): string {
    const program = this.byName.get(name);
    if (program === undefined) throw new Error(`${name} was not made ready`);
    return program.path;
  }

  /** What the peer's container engine needs. */
  get forEngine(): EnginePrograms {
    return {
      dockerCompose: this.path("docker-compose"),
      restServer: this.path("rest-server"),
      busybox: this.path("busybox"),
      dockerd: async () => {
        const programs = await ensurePrograms(["dockerd"]);
        return programs.get("dockerd")?.path ?? "dockerd";
      },
    };
  }
}
