/** Stands in for nixpkgs: a folder for each package, with real programs of this machine. */
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";

/** What of each package the units, the scripts and the drills may call. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  bash: ["bash", "sh"],
  coreutils: [
    ...["basename", "cat", "chmod", "cp", "date", "dirname", "env", "head", "id", "install", "ls"],
    ...["mkdir", "mktemp", "mv", "rm", "sleep", "sort", "stat", "test", "tr", "true", "wc"],
  ],
  curl: ["curl"],
  findutils: ["find", "xargs"],
  gnugrep: ["grep"],
  gnused: ["sed"],
  postgresql: ["initdb", "pg_ctl", "pg_dumpall", "pg_restore", "postgres", "psql"],
  rclone: ["rclone"],
  restic: ["restic"],
  "restic-rest-server": ["rest-server"],
  sqlite: ["sqlite3"],
  systemd: [],
  "util-linux": ["setpriv"],
  zstd: ["zstd"],
};

/** Makes the packages' folders. */
export function providePackages(folder: string): void {
  for (const [name, programs] of Object.entries(PACKAGES)) {
    const bin = join(folder, name, "bin");
    mkdirSync(bin, { recursive: true });
    for (const program of programs) provide(find(program), join(bin, program));
  }
}

/** Replaces a program of a package by a script for bash. */
export function provideScript(folder: string, name: string, program: string, text: string): void {
  const file = join(folder, name, "bin", program);
  mkdirSync(dirname(file), { recursive: true });
  // Not through the link to the machine's own.
  rmSync(file, { force: true });
  writeFileSync(file, `#!/bin/bash\n${text}\n`);
  chmodSync(file, 0o755);
}

/** A program on PATH, or one of PostgreSQL's, which Debian keeps elsewhere. */
export function find(program: string): string {
  const elsewhere = versions("/usr/lib/postgresql").map((version) => join(version, "bin"));
  for (const folder of [...elsewhere, ...(process.env.PATH ?? "").split(delimiter)]) {
    try {
      const file = join(folder, program);
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not there.
    }
  }
  throw new Error(`${program}: not found on PATH`);
}

function versions(folder: string): string[] {
  try {
    return readdirSync(folder).map((version) => join(folder, version));
  } catch {
    return [];
  }
}

/** A program where every account can run it: what is below a closed folder is copied. */
export function provide(from: string, to: string): void {
  const real = realpathSync(from);
  if (isOpen(real)) {
    symlinkSync(real, to);
    return;
  }
  try {
    linkSync(real, to);
  } catch {
    copyFileSync(real, to, constants.COPYFILE_FICLONE);
  }
}

function isOpen(path: string): boolean {
  const isRunnable = (statSync(path).mode & 0o001) !== 0;
  return isRunnable && (path === dirname(path) || isOpen(dirname(path)));
}
