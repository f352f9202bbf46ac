import type { Registry } from "prom-client";
import type { StatusReport } from "../status/report.ts";
import { FAMILIES } from "./families.ts";

/** The report as metrics. */
export async function metricsOf(report: StatusReport): Promise<Registry> {
  // Loaded here, for the other commands have no use for it.
  const { Gauge, Registry: NewRegistry } = await import("prom-client");
  const registry = new NewRegistry();
  for (const { name, help, labelNames, samples } of FAMILIES) {
    const gauge = new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] });
    for (const { labels, value } of samples(report)) gauge.set({ ...labels }, value);
  }
  return registry;
}
