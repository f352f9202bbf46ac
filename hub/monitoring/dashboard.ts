/**
 * The Grafana dashboard, made into `dashboard.json` by `npm run generate`. It goes by the metrics of
 * `hub/metrics/families.ts` and nothing else.
 */
import { PANELS, type Panel } from "./dashboard-panels.ts";

const SOURCE = { type: "prometheus", uid: "${datasource}" };

/** The dashboard as Grafana 10 and newer imports it. */
export function dashboard(): object {
  const panels: object[] = [];
  const at = { x: 0, y: 0, height: 0 };
  for (const each of PANELS) {
    if (at.x + each.width > 24) Object.assign(at, { x: 0, y: at.y + at.height, height: 0 });
    panels.push(grafanaPanel(each, panels.length + 1, at));
    at.x += each.width;
    at.height = Math.max(at.height, each.height);
  }
  return {
    uid: "fort-offsite",
    title: "Offsite backups",
    description: "Hosts, targets, runs and credentials of fort-offsite's hubs.",
    tags: ["backup", "fort-offsite"],
    schemaVersion: 38,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "5m",
    timezone: "browser",
    time: { from: "now-30d", to: "now" },
    annotations: { list: [] },
    links: [],
    templating: { list: [sourceVariable(), instanceVariable()] },
    panels,
  };
}

function sourceVariable(): object {
  return {
    name: "datasource",
    label: "Prometheus",
    type: "datasource",
    query: "prometheus",
    refresh: 1,
    hide: 0,
  };
}

function instanceVariable(): object {
  const values = "label_values(offsite_healthy, instance)";
  return {
    ...{ name: "instance", label: "Hub", type: "query", datasource: SOURCE, definition: values },
    ...{ query: { query: values, refId: "instances" }, refresh: 2, sort: 1, hide: 0 },
    ...{ multi: true, includeAll: true, allValue: ".*", current: { text: "All", value: "$__all" } },
  };
}

function grafanaPanel(each: Panel, id: number, { x, y }: { x: number; y: number }): object {
  const { title, description, type, width: w, height: h, queries } = each;
  return {
    ...{ id, type, title, description, datasource: SOURCE, gridPos: { x, y, w, h } },
    targets: queries.map(({ expr, legend }, index) => ({
      ...{ refId: String.fromCharCode(65 + index), datasource: SOURCE, expr, legendFormat: legend },
      ...(isInstant(type) ? { instant: true, range: false } : { instant: false, range: true }),
    })),
    fieldConfig: { defaults: fieldsOf(each), overrides: dashedLimits(each) },
    options: optionsOf(type),
  };
}

function isInstant(type: Panel["type"]): boolean {
  return type === "stat" || type === "bargauge";
}

function fieldsOf({ type, unit, steps, isStacked }: Panel): object {
  const states = {
    "0": { text: "no", color: "red", index: 0 },
    "1": { text: "yes", color: "green", index: 1 },
  };
  const thresholds = { mode: "absolute", steps: stepsOf(steps) };
  return {
    ...{
      unit,
      thresholds,
      color: { mode: type === "timeseries" ? "palette-classic" : "thresholds" },
    },
    ...(type === "timeseries" ? { min: 0 } : {}),
    ...(type === "state-timeline" ? { mappings: [{ type: "value", options: states }] } : {}),
    ...(type === "timeseries" && {
      custom: {
        lineWidth: 2,
        fillOpacity: isStacked === true ? 30 : 8,
        showPoints: "never",
        stacking: { mode: isStacked === true ? "normal" : "none" },
      },
    }),
  };
}

/** From amber to red; where amber is above red, less is worse. */
function stepsOf(steps: Panel["steps"]): object[] {
  if (steps === undefined) return [{ color: "green", value: null }];
  const [amber, red] = steps;
  const isFalling = amber > red;
  return [
    { color: isFalling ? "red" : "green", value: null },
    { color: "orange", value: isFalling ? red : amber },
    { color: isFalling ? "green" : "red", value: isFalling ? amber : red },
  ];
}

function dashedLimits({ type }: Panel): object[] {
  if (type !== "timeseries") return [];
  const dashed = { id: "custom.lineStyle", value: { fill: "dash", dash: [8, 6] } };
  return [{ matcher: { id: "byRegexp", options: "/(threshold|limit)$/" }, properties: [dashed] }];
}

function optionsOf(type: Panel["type"]): object {
  switch (type) {
    case "stat":
      return {
        colorMode: "background",
        graphMode: "none",
        reduceOptions: { calcs: ["lastNotNull"] },
      };
    case "bargauge":
      return {
        orientation: "horizontal",
        displayMode: "basic",
        reduceOptions: { calcs: ["lastNotNull"] },
      };
    case "timeseries":
      return {
        legend: { displayMode: "list", placement: "bottom", showLegend: true },
        tooltip: { mode: "multi" },
      };
    case "state-timeline":
      return {
        showValue: "never",
        mergeValues: true,
        legend: { displayMode: "list", placement: "bottom", showLegend: true },
      };
  }
}
