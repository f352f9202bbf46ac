import { execa } from "execa";
import { expect, it } from "vitest";

const TSX = ["--import", "tsx"];

it.each(["hub/main.ts", "cli/main.ts"])(
  "%s is not ended by a reader that has seen enough",
  async (main) => {
    // The reader is gone before anything is written.
    const script = `{ sleep 0.2; "$0" "$@"; echo "ended with $?" >&2; } | true`;
    const { stderr } = await execa("sh", ["-c", script, process.execPath, ...TSX, main, "--help"], {
      cwd: new URL("../..", import.meta.url),
    });
    expect(stderr).toBe("ended with 0");
  },
);
