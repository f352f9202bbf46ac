/**
 * Draws the panels of a Grafana dashboard as one page, from what Prometheus answers to their queries:
 * for a picture where Grafana cannot be had. It knows the few kinds of panel that ours has.
 */
import type { Prometheus, Series } from "./prometheus.ts";
import { formatted } from "./units.ts";

/** What is read of a panel in the dashboard's JSON. */
export interface GrafanaPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
    readonly instant: boolean;
  }[];
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string;
      readonly custom?: { readonly stacking: { readonly mode: string } };
      readonly thresholds: {
        readonly steps: readonly { readonly color: string; readonly value: number | null }[];
      };
    };
  };
}

/** What is read of a dashboard. */
export interface Dashboard {
  readonly title: string;
  readonly panels: readonly GrafanaPanel[];
}

/** Seconds since 1970. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

interface Line {
  readonly name: string;
  readonly values: Series["values"];
}

const PALETTE = [
  "#5b9bf8",
  "#f2a33c",
  "#57c98a",
  "#e36bb0",
  "#9d86f5",
  "#45c4d6",
  "#e0705f",
  "#b8c34f",
];
const COLOURS: Readonly<Record<string, string>> = {
  green: "#2f9e5f",
  orange: "#c77d1e",
  red: "#cc3f3f",
};

/** A query as Grafana sends it, with all hubs chosen. */
export function filled(expr: string): string {
  return expr.replaceAll("$instance", ".*");
}

/** Asks a panel's queries. @returns what each answered. */
export async function ask(
  prometheus: Prometheus,
  panel: GrafanaPanel,
  { start, end }: Span,
): Promise<Line[][]> {
  return await Promise.all(
    panel.targets.map(async ({ expr, legendFormat, instant }) => {
      const query = filled(expr);
      const found = instant
        ? await prometheus.instant(query, end)
        : await prometheus.range(query, start, end);
      return found.map(({ metric, values }) => ({
        name: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ""),
        values,
      }));
    }),
  );
}

const UNIT = 50;
const ROW = 36;

/** Makes the page. */
export async function draw(
  prometheus: Prometheus,
  { title, panels }: Dashboard,
  span: Span,
): Promise<string> {
  const drawn = await Promise.all(
    panels.map(async (panel) => {
      const { x, y, w, h } = panel.gridPos;
      const size = { width: w * UNIT - 12, height: h * ROW - 12 };
      const lines = (await ask(prometheus, panel, span)).flat();
      const style = `left:${x * UNIT + 6}px;top:${y * ROW + 6}px;width:${size.width}px;height:${size.height}px`;
      return `<section style="${style}"><h2>${text(panel.title)}</h2>${content(panel, lines, span, size)}</section>`;
    }),
  );
  const height = Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * ROW;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${text(title)}</title><style>${STYLE}</style>
<header><h1>${text(title)}</h1><p>${day(span.start)} to ${day(span.end)}</p></header>
<main style="width:${24 * UNIT}px;height:${height}px">${drawn.join("\n")}</main></html>`;
}

const STYLE = `*{box-sizing:border-box}body{margin:0;padding:14px;width:${24 * UNIT + 28}px;background:#111217;color:#ccccdc;font:13px/1.4 system-ui,sans-serif}
header{display:flex;justify-content:space-between;align-items:baseline;padding:0 8px 6px}h1{font-size:20px;margin:0;color:#fff}header p{margin:0;color:#9fa7b3}
main{position:relative}section{position:absolute;background:#181b1f;border:1px solid #2a2e35;border-radius:4px;padding:8px;overflow:hidden}
h2{font-size:13px;font-weight:600;margin:0 0 4px}svg{display:block}svg text{fill:#9fa7b3;font-size:11px}
.stat{border:0;color:#fff;position:absolute;inset:0;display:flex;flex-direction:column;justify-content:center;align-items:center}.stat b{font-size:30px;font-weight:600}
.legend{display:flex;flex-wrap:wrap;gap:2px 14px;font-size:12px;color:#b9c0cb}.legend i{display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:5px;vertical-align:middle}`;

function content(panel: GrafanaPanel, lines: readonly Line[], span: Span, size: Size): string {
  if (lines.length === 0) return "<p>No data</p>";
  switch (panel.type) {
    case "stat":
      return statOf(panel, lines);
    case "bargauge":
      return barsOf(panel, lines, size);
    case "state-timeline":
      return statesOf(lines, span, size);
    default:
      return graphOf(panel, lines, span, size);
  }
}

interface Size {
  readonly width: number;
  readonly height: number;
}

function statOf(panel: GrafanaPanel, [line]: readonly Line[]): string {
  const value = line?.values.at(-1)?.[1] ?? 0;
  return `<div class="stat" style="background:${colourOf(panel, value)}"><span>${text(panel.title)}</span><b>${formatted(value, unitOf(panel))}</b></div>`;
}

function barsOf(panel: GrafanaPanel, lines: readonly Line[], { width, height }: Size): string {
  const all = lines.map(({ name, values }) => ({ name, value: values.at(-1)?.[1] ?? 0 }));
  const most = Math.max(...all.map(({ value }) => value), unitOf(panel) === "percentunit" ? 1 : 0);
  const each = Math.min(34, (height - 36) / all.length);
  const left = 170;
  const bars = all.map(({ name, value }, at) => {
    const y = at * each;
    const long = Math.max(2, ((width - left - 90) * value) / most);
    return `<text x="${left - 8}" y="${y + each / 2 + 4}" text-anchor="end">${text(name)}</text>
<rect x="${left}" y="${y + each * 0.15}" width="${long.toFixed(1)}" height="${(each * 0.7).toFixed(1)}" rx="2" fill="${colourOf(panel, value)}"/>
<text x="${left + long + 6}" y="${y + each / 2 + 4}">${formatted(value, unitOf(panel))}</text>`;
  });
  return `<svg width="${width - 20}" height="${height - 32}">${bars.join("")}</svg>`;
}

function statesOf(lines: readonly Line[], { start, end }: Span, { width, height }: Size): string {
  const left = 120;
  const inner = width - left - 24;
  const each = (height - 72) / lines.length;
  const x = (time: number): number => left + (inner * (time - start)) / (end - start);
  const rows = lines.map(({ name, values }, at) => {
    const cells = runsOf(values, end).map(
      ([from, to, value]) =>
        `<rect x="${x(from).toFixed(1)}" y="${at * each + 3}" width="${(x(to) - x(from)).toFixed(1)}" height="${(each - 6).toFixed(1)}" rx="2" fill="${value >= 1 ? "#2f9e5f" : "#cc3f3f"}"/>`,
    );
    return `<text x="${left - 8}" y="${at * each + each / 2 + 4}" text-anchor="end">${text(name)}</text>${cells.join("")}`;
  });
  const axis = ticksOf({ start, end }).map(
    (time) => `<text x="${x(time)}" y="${height - 56}" text-anchor="middle">${day(time)}</text>`,
  );
  return `<svg width="${width - 20}" height="${height - 50}">${rows.join("")}${axis.join("")}</svg>${legend(
    [
      ["#2f9e5f", "yes"],
      ["#cc3f3f", "no"],
    ],
  )}`;
}

/** Values that stay the same, from when to when. */
function runsOf(
  values: Series["values"],
  end: number,
): [from: number, to: number, value: number][] {
  const runs: [number, number, number][] = [];
  for (const [time, value] of values) {
    const last = runs.at(-1);
    if (last?.[2] === value) continue;
    if (last !== undefined) last[1] = time;
    runs.push([time, end, value]);
  }
  return runs;
}

function graphOf(
  panel: GrafanaPanel,
  lines: readonly Line[],
  { start, end }: Span,
  size: Size,
): string {
  const [left, bottom] = [64, 20];
  const width = size.width - left - 24;
  const height = size.height - bottom - 42 - 18 * Math.ceil(lines.length / 7);
  const isStacked = panel.fieldConfig.defaults.custom?.stacking.mode === "normal";
  const sums = new Map<number, number>();
  const shown = lines.map(({ name, values }) => ({
    name,
    points: values.map(([time, value]) => {
      const under = isStacked ? (sums.get(time) ?? 0) : 0;
      sums.set(time, under + value);
      return { time, low: under, high: under + value };
    }),
  }));
  const [top, step] = scaleOf(
    Math.max(...shown.flatMap(({ points }) => points.map(({ high }) => high))),
    unitOf(panel),
  );
  const x = (time: number): string => (left + (width * (time - start)) / (end - start)).toFixed(1);
  const y = (value: number): string => (6 + height - (height * value) / top).toFixed(1);
  const grid: string[] = [];
  for (let value = 0; value <= top * 1.001; value += step) {
    grid.push(
      `<path d="M${left} ${y(value)}h${width}" stroke="#2a2e35"/><text x="${left - 8}" y="${Number(y(value)) + 4}" text-anchor="end">${formatted(value, unitOf(panel))}</text>`,
    );
  }
  const axis = ticksOf({ start, end }).map(
    (time) => `<text x="${x(time)}" y="${height + 22}" text-anchor="middle">${day(time)}</text>`,
  );
  const colours = shown.map((_, at) => PALETTE[at % PALETTE.length] ?? "");
  const paths = shown.map(({ name, points }, at) => {
    const line = points
      .map(({ time, high }, index) => `${index === 0 ? "M" : "L"}${x(time)} ${y(high)}`)
      .join("");
    const back = points
      .toReversed()
      .map(({ time, low }) => `L${x(time)} ${y(low)}`)
      .join("");
    const isLimit = /(threshold|limit)$/.test(name);
    const area = isLimit
      ? ""
      : `<path d="${line}${back}Z" fill="${colours[at]}" fill-opacity="${isStacked ? 0.35 : 0.08}"/>`;
    return `${area}<path d="${line}" fill="none" stroke="${colours[at]}" stroke-width="1.6"${isLimit ? ' stroke-dasharray="7 5"' : ""}/>`;
  });
  const names = shown.map(({ name }, at) => [colours[at] ?? "", name] as const);
  return `<svg width="${size.width - 20}" height="${height + 28}">${grid.join("")}${paths.join("")}${axis.join("")}</svg>${legend(names)}`;
}

function legend(names: readonly (readonly [colour: string, name: string])[]): string {
  const each = names.map(
    ([colour, name]) => `<span><i style="background:${colour}"></i>${text(name)}</span>`,
  );
  return `<div class="legend">${each.join("")}</div>`;
}

/** Where the axis ends, and the way between its lines. */
function scaleOf(most: number, unit: string): [top: number, step: number] {
  const base =
    unit === "s"
      ? most > 2 * 86_400
        ? 86_400
        : most > 7200
          ? 3600
          : 60
      : unit === "bytes"
        ? 1024 ** Math.max(0, Math.floor(Math.log2(most || 1) / 10))
        : 1;
  const rough = Math.max(most / base, 1e-9) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const nice = ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10) * power;
  const step = (unit === "none" ? Math.max(1, nice) : nice) * base;
  return [Math.max(step, Math.ceil(most / step) * step), step];
}

function ticksOf({ start, end }: Span): number[] {
  return [0.02, 0.25, 0.5, 0.75, 0.97].map((share) => start + share * (end - start));
}

function colourOf({ fieldConfig }: GrafanaPanel, value: number): string {
  const { steps } = fieldConfig.defaults.thresholds;
  const found = steps.findLast((step) => step.value === null || value >= step.value);
  return COLOURS[found?.color ?? "green"] ?? "";
}

function unitOf({ fieldConfig }: GrafanaPanel): string {
  return fieldConfig.defaults.unit;
}

function day(time: number): string {
  return new Date(time * 1000).toISOString().slice(5, 10);
}

function text(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
