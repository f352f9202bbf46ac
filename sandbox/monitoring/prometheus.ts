/** A real Prometheus for the dashboard's queries: it scrapes, or has a past that was made up. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import { FAMILIES } from "../../hub/metrics/families.ts";
import type { StatusReport } from "../../hub/status/report.ts";
import { ensurePrograms } from "../../tools/index.ts";
import { freePort } from "../world.ts";

/** One series of an answer: its labels, and times in seconds with values. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [time: number, value: number])[];
}

/** How far back a query looks for a value, in hours; the made-up past has one every two hours. */
const LOOK_BACK = 3;
export const STEP_SECONDS = 7200;

/** A Prometheus of its own, in a folder of its own. Stop it. */
export class Prometheus {
  readonly #root = mkdtempSync(join(tmpdir(), "fort-offsite-prometheus-"));
  #child: ChildProcess | undefined;
  #url = "";

  /** Gives it a past: the reports' metrics at their times, from one hub. */
  async backfill(times: readonly number[], at: (time: number) => StatusReport): Promise<void> {
    const reports = times.map((time) => [time / 1000, at(time)] as const);
    const path = join(this.#root, "past.txt");
    const file = openSync(path, "w");
    for (const { name, help, samples } of FAMILIES) {
      const lines = reports.flatMap(([seconds, report]) =>
        samples(report).map(({ labels, value }) => {
          const all = { ...labels, instance: "ursula:9100", job: "node" };
          const inside = Object.entries(all).map(([key, each]) => `${key}=${JSON.stringify(each)}`);
          return `${name}{${inside.join(",")}} ${value} ${seconds}\n`;
        }),
      );
      writeSync(file, `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join("")}`);
    }
    writeSync(file, "# EOF\n");
    closeSync(file);
    const programs = await ensurePrograms(["promtool"]);
    const tool = programs.get("promtool")?.path ?? "promtool";
    const create = ["tsdb", "create-blocks-from", "--max-block-duration=1024h", "openmetrics"];
    await execa(tool, [...create, path, join(this.#root, "data")]);
    rmSync(path);
  }

  /** Starts it. @param targets - `host:port` of what it scrapes each second. */
  async start(targets: readonly string[] = []): Promise<void> {
    const programs = await ensurePrograms(["prometheus"]);
    const port = await freePort();
    this.#url = `http://127.0.0.1:${port}`;
    mkdirSync(join(this.#root, "data"), { recursive: true });
    const jobs = { job_name: "node", static_configs: [{ targets }] };
    const config = {
      global: { scrape_interval: "1s" },
      scrape_configs: targets.length > 0 ? [jobs] : [],
    };
    // JSON is YAML.
    writeFileSync(join(this.#root, "prometheus.yml"), JSON.stringify(config));
    this.#child = spawn(
      programs.get("prometheus")?.path ?? "prometheus",
      [
        `--config.file=${join(this.#root, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(this.#root, "data")}`,
        "--storage.tsdb.retention.time=100y",
        `--query.lookback-delta=${LOOK_BACK}h`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: "ignore" },
    );
    for (let attempt = 0; !(await this.#isReady()); attempt += 1) {
      if (attempt > 600 || this.#child.exitCode !== null)
        throw new Error("Prometheus did not start");
      await setTimeout(100);
    }
  }

  async #isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.#url}/-/ready`)).ok;
    } catch {
      return false;
    }
  }

  /** Asks for values at one time, in seconds since 1970; now where it is left out. @throws Error */
  async instant(expr: string, time?: number): Promise<Series[]> {
    const at = time === undefined ? {} : { time: String(time) };
    const found = await this.#ask("query", { query: expr, ...at });
    return found.map(({ metric, value }) => ({ metric, values: value ? [number(value)] : [] }));
  }

  /** Asks for values from a time to another. @throws Error */
  async range(expr: string, start: number, end: number): Promise<Series[]> {
    const limits = { start: String(start), end: String(end), step: String(STEP_SECONDS) };
    const found = await this.#ask("query_range", { query: expr, ...limits });
    return found.map(({ metric, values }) => ({ metric, values: (values ?? []).map(number) }));
  }

  async #ask(what: string, parameters: Record<string, string>): Promise<Raw[]> {
    const query = new URLSearchParams(parameters).toString();
    const answer = await fetch(`${this.#url}/api/v1/${what}?${query}`);
    const body = (await answer.json()) as { error?: string; data?: { result: Raw[] } };
    if (body.data === undefined) throw new Error(`${parameters.query ?? ""}: ${body.error ?? ""}`);
    return body.data.result;
  }

  async stop(): Promise<void> {
    if (this.#child !== undefined && this.#child.exitCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#root, { recursive: true, force: true });
  }
}

type Value = readonly [time: number, value: string];

interface Raw {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Value;
  readonly values?: readonly Value[];
}

function number([time, value]: Value): readonly [number, number] {
  return [time, Number(value)];
}
