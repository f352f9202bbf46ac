/** Evaluates the NixOS modules with Debian's nix against the stub of NixOS in stub/. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { z } from "zod";

const OPTIONS = ["--option", "store", "dummy://", "--eval", "--strict", "--json"];

const setting = z.union([z.string(), z.number(), z.boolean()]);
const settings = z.record(z.string(), z.union([setting, z.array(setting)]));
const strings = z.array(z.string());

const secret = z.object({ path: z.string(), owner: z.string(), mode: z.string() });

const serviceSchema = z.object({
  description: z.string(),
  after: strings,
  wants: strings,
  requires: strings,
  wantedBy: strings,
  onFailure: strings,
  unitConfig: settings,
  restartIfChanged: z.boolean(),
  restartTriggers: strings,
  environment: z.record(z.string(), z.string()),
  serviceConfig: settings,
});

const systemSchema = z.object({
  refused: strings,
  warnings: strings,
  services: z.record(z.string(), serviceSchema),
  sockets: z.record(z.string(), z.object({ listenStreams: strings, socketConfig: settings })),
  timers: z.record(z.string(), z.object({ wantedBy: strings, timerConfig: settings })),
  tmpfiles: strings,
  users: z.record(z.string(), z.object({ group: z.string(), extraGroups: strings })),
  age: z.record(z.string(), secret.extend({ file: z.string() })),
  sops: z.record(z.string(), secret.extend({ sopsFile: z.string(), format: z.string() })),
  tunnels: z.record(z.string(), z.string()),
  nftables: z.record(z.string(), z.string()),
  firewall: z.record(z.string(), z.object({ allowedTCPPorts: z.array(z.int()) })),
  nginx: z.record(
    z.string(),
    z.object({
      locations: z.record(z.string(), z.object({ proxyPass: z.string(), extraConfig: z.string() })),
    }),
  ),
  ruleFiles: strings,
  nodeExporter: z.object({ enabledCollectors: strings, extraFlags: strings }),
  handlers: z.record(z.string(), z.string()),
  commands: strings,
});

/** A unit of a system. */
export type Service = z.infer<typeof serviceSchema>;

/** What a system would hold. */
export type System = z.infer<typeof systemSchema>;

/** A file that a system needs in its store. */
const fileSchema = z.object({ path: z.string(), text: z.string(), executable: z.boolean() });

export type StoreFile = z.infer<typeof fileSchema>;

/** What an evaluation came to. */
export interface Evaluation {
  readonly systems: Record<string, System>;
  readonly files: readonly StoreFile[];
}

/**
 * Evaluates all configurations of a Nix file, which is a function of the arguments.
 *
 * @throws Error with nix's message.
 */
export async function evaluate(
  file: string,
  args: Readonly<Record<string, string>>,
): Promise<Evaluation> {
  const { value, stderr } = await valueOf(file, args);
  const files = stderr
    .split("\n")
    .filter((line) => line.startsWith("trace: FILE "))
    .map((line) => fileSchema.parse(JSON.parse(line.slice("trace: FILE ".length))));
  return { systems: z.record(z.string(), systemSchema).parse(value), files };
}

/**
 * Evaluates a Nix file, which is a function of the arguments, without a store and in a folder that goes
 * with it.
 *
 * @throws Error with nix's message.
 */
export async function valueOf(
  file: string,
  args: Readonly<Record<string, string>>,
): Promise<{ value: unknown; stderr: string }> {
  const given = Object.entries(args).flatMap(([name, value]) => ["--argstr", name, value]);
  const folder = mkdtempSync(join(tmpdir(), "offsite-nix-"));
  const env = {
    HOME: folder,
    NIX_CONF_DIR: folder,
    NIX_LOG_DIR: folder,
    NIX_STATE_DIR: folder,
    NIX_STORE_DIR: join(folder, "store"),
  };
  try {
    const result = await execa("nix-instantiate", [...OPTIONS, file, ...given], {
      env,
      reject: false,
    });
    if (result.code === "ENOENT") {
      throw new Error("nix-instantiate: not found. Debian and Ubuntu have it in nix-bin");
    }
    if (result.exitCode !== 0) {
      const lines = result.stderr.split("\n").filter((line) => !line.startsWith("trace: FILE "));
      throw new Error(lines.join("\n"));
    }
    return { value: JSON.parse(result.stdout), stderr: result.stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the files of an evaluation; paths and what is in them are adapted to where they really are. */
export function writeStore(files: readonly StoreFile[], adapt: (text: string) => string): void {
  for (const { path, text, executable } of files) {
    const file = adapt(path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, adapt(text));
    chmodSync(file, executable ? 0o755 : 0o644);
  }
}
