import { afterEach, describe, expect, it, vi } from "vitest";
import { Output } from "../../hub/output.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

function spoken(json: boolean, work: (output: Output) => void): { out: string[]; err: string[] } {
  const out: string[] = [];
  const err: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => void out.push(line));
  vi.spyOn(console, "error").mockImplementation((line: string) => void err.push(line));
  work(new Output({ json }));
  return { out, err };
}

describe("Output", () => {
  it("says what was done on standard output and what failed on standard error", () => {
    vi.stubEnv("JOURNAL_STREAM", undefined);
    const { out, err } = spoken(false, (output) => {
      output.info("done");
      output.error("failed");
    });
    expect(out).toEqual(["done"]);
    expect(err).toEqual(["error: failed"]);
  });

  it("leaves standard output to the report where there is one", () => {
    vi.stubEnv("JOURNAL_STREAM", undefined);
    const { out, err } = spoken(true, (output) => output.info("done"));
    expect(out).toEqual([]);
    expect(err).toEqual(["done"]);
  });

  it("gives each line its priority in the journal", () => {
    vi.stubEnv("JOURNAL_STREAM", "8:1");
    const { out, err } = spoken(false, (output) => {
      output.info("done");
      output.notice("by the way");
      output.warning("soon");
      output.error("failed");
    });
    expect(out).toEqual(["<6>done", "<5>by the way", "<4>soon"]);
    expect(err).toEqual(["<3>error: failed"]);
  });

  it("keeps a message on one line, and a stranger's text from steering the terminal", () => {
    vi.stubEnv("JOURNAL_STREAM", undefined);
    const { out } = spoken(false, (output) => output.info(" one\n  two \u001b[2Jthree "));
    expect(out).toEqual(["one two ?[2Jthree"]);
  });
});
