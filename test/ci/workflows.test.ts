/** What the workflows say, before any of them runs. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { forgejoWorkflows } from "../../.ci/forgejo.ts";
import { PROJECT } from "../../sandbox/world.ts";
import { ensurePrograms } from "../../tools/index.ts";
import { holds, readWorkflow } from "./workflow.ts";

/** actionlint knows no action by its URL, as Forgejo does. */
const OPTIONS = [
  "-no-color",
  "-shellcheck=",
  "-pyflakes=",
  "-ignore",
  `specifying action "https://`,
];

const GITHUB = ".github/workflows";
const names = readdirSync(join(PROJECT, GITHUB));
const read = (name: string) => readFileSync(join(PROJECT, GITHUB, name), "utf8");

describe("the workflows", () => {
  it("for both forges pass actionlint", async () => {
    const programs = await ensurePrograms(["actionlint"]);
    const lint = programs.get("actionlint")?.path ?? "actionlint";
    const files = [GITHUB, ".forgejo/workflows"].flatMap((folder) =>
      names.map((name) => join(PROJECT, folder, name)),
    );
    expect(files).toHaveLength(6);
    const { stdout, exitCode } = await execa(lint, [...OPTIONS, ...files], {
      reject: false,
    });
    expect(stdout).toBe("");
    expect(exitCode).toBe(0);
  });

  it("for Forgejo are what is made of those for GitHub", () => {
    const folder = join(PROJECT, ".forgejo/workflows");
    const written = new Map(
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")] as const),
    );
    expect(written).toEqual(forgejoWorkflows());
    const update = written.get("update.yaml") ?? "";
    expect(update).not.toContain("environment:");
    expect(update).toContain("if: github.event_name == 'workflow_dispatch' || vars.UPDATE_ON_PUSH");
    for (const text of written.values()) expect(text).not.toMatch(/uses: (?!https:\/\/)/);
  });
});

describe.each(names)("%s", (name) => {
  const workflow = readWorkflow(`${GITHUB}/${name}`);
  const jobs = Object.entries(workflow.jobs);

  it("pins every action by its commit, with the version beside it", () => {
    const uses = read(name).match(/uses: .*/g) ?? [];
    expect(uses.length).toBeGreaterThan(0);
    for (const line of uses)
      expect(line).toMatch(/^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    const pins = new Set(uses.map((line) => line.replace("uses: ", "")));
    expect(new Set([...pins].map((pin) => pin.split("@")[0])).size).toBe(pins.size);
  });

  it("gives a job what it needs and no more", () => {
    expect(workflow.permissions).toEqual({});
    for (const [, job] of jobs) {
      const { contents, "pull-requests": comments, ...rest } = job.permissions ?? {};
      expect([contents, rest]).toEqual(["read", {}]);
      const isCommenting = job.steps.some(({ run }) => run?.includes("--post") === true);
      expect(comments).toBe(isCommenting ? "write" : undefined);
      expect(job["timeout-minutes"]).toBeLessThanOrEqual(120);
    }
  });

  it("leaves no credential of the forge in the clone, and puts nobody's text into a script", () => {
    for (const [, job] of jobs) {
      for (const { uses, run, with: options } of job.steps) {
        if (uses?.startsWith("actions/checkout@") === true) {
          expect(options).toMatchObject({ "persist-credentials": false });
        }
        expect(run ?? "").not.toContain("${{");
      }
    }
    expect(Object.keys(workflow.on)).not.toContain("pull_request_target");
  });

  it("shows secrets to the steps that use them, and to no install", () => {
    for (const [, job] of jobs) {
      expect(JSON.stringify(job.env)).not.toContain("secrets.");
      for (const { run, env, uses } of job.steps) {
        if (run?.startsWith("npm ") === true || uses !== undefined) {
          expect(JSON.stringify(env)).not.toContain("secrets.");
        }
      }
    }
  });
});

describe("a pull request", () => {
  const { jobs } = readWorkflow(`${GITHUB}/preview.yaml`);
  const running = (head: string, stack: string) =>
    Object.entries(jobs)
      .filter(([, job]) =>
        holds(job.if, {
          "github.event.pull_request.head.repo.full_name": head,
          "github.repository": "family/offsite",
          "vars.STACK": stack,
        }),
      )
      .map(([name]) => name);

  it("of this repository is previewed against the stack", () => {
    expect(running("family/offsite", "prod")).toEqual(["check", "preview"]);
  });

  it("of a fork gets the sandbox's preview, in jobs that know no secret", () => {
    expect(running("mallory/offsite", "prod")).toEqual(["check", "preview-in-the-sandbox"]);
    expect(running("", "prod")).toEqual(["check", "preview-in-the-sandbox"]);
    for (const name of ["check", "preview-in-the-sandbox"]) {
      expect(JSON.stringify(jobs[name])).not.toMatch(/secrets\.|github\.token/);
      expect(jobs[name]?.permissions).toEqual({ contents: "read" });
    }
  });

  it("gets the sandbox's preview where no stack is set up", () => {
    expect(running("family/offsite", "")).toEqual(["check", "preview-in-the-sandbox"]);
  });

  it("is previewed one at a time for a stack, and none is cut off", () => {
    expect(jobs.preview?.concurrency).toEqual({
      group: "preview-${{ vars.STACK }}",
      "cancel-in-progress": false,
    });
  });
});

describe("an update", () => {
  const { jobs, concurrency, on } = readWorkflow(`${GITHUB}/update.yaml`);

  it("waits for the plan and for the environment's reviewers, and is never cut off", () => {
    expect(jobs.update).toMatchObject({ needs: "plan", environment: "production" });
    expect(concurrency?.["cancel-in-progress"]).toBe(false);
    expect(on.push).toEqual({ branches: ["main"] });
  });

  it("alone has the keys that can change anything", () => {
    const others = ["preview.yaml", "nightly.yaml"].map(read).join("\n");
    expect(others + JSON.stringify(jobs.plan)).not.toMatch(
      /secrets\.(?:B2_APPLICATION|CLOUDFLARE_API)/,
    );
    expect(JSON.stringify(jobs.update)).toContain("secrets.B2_APPLICATION_KEY");
  });
});
