import { resolve } from "node:path";
import { Command } from "commander";
import { messageOf } from "../errors.ts";
import { counted } from "../format.ts";
import { metricsOf } from "../metrics/metrics.ts";
import { replaceFile } from "../replace-file.ts";
import { Inputs, type CommonOptions } from "../options.ts";
import { Output } from "../output.ts";
import { statusOf } from "./status.ts";

interface Options extends CommonOptions {
  readonly output?: string;
}

/** `offsite-hub metrics`. */
export function metricsCommand(): Command {
  return new Command("metrics")
    .summary("write the status as metrics for Prometheus")
    .description(
      "Writes what status tells as Prometheus text, for the textfile collector of the node exporter or to " +
        "standard output. What cannot be read is a metric too; the rest is written.",
    )
    .option("--output <file>", "replace this file in one step; its name should end in .prom")
    .addHelpText(
      "after",
      "\nExit codes: 0 written, also when status has problems, 1 not written, 2 wrong use or unreadable input. " +
        "With --json the metrics are on standard output as JSON.",
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  // Standard output is for the metrics.
  const output = new Output({ json: true });
  const inputs = new Inputs(options, output);
  const report = await statusOf(inputs, Object.keys(inputs.manifest.hosts));
  const registry = await metricsOf(report);
  const text = await registry.metrics();
  if (options.output !== undefined) {
    const path = resolve(options.output);
    if (!path.endsWith(".prom")) {
      output.warning(`the node exporter reads files that end in .prom alone, not "${path}"`);
    }
    try {
      replaceFile(path, text);
    } catch (error) {
      output.error(`cannot write the metrics to "${path}": ${messageOf(error)}`);
      process.exitCode = 1;
      return;
    }
    output.info(`wrote metrics of ${counted(Object.keys(report.hosts).length, "host")}: ${path}`);
  }
  if (options.json === true) output.report(await registry.getMetricsAsJSON());
  else if (options.output === undefined) process.stdout.write(text);
}
