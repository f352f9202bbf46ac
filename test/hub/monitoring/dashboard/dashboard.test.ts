import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAMILIES } from "../../../../hub/metrics/families.ts";
import { startBrowser, watch } from "../../../../sandbox/monitoring/browser.ts";
import { ask, draw, filled, type Dashboard } from "../../../../sandbox/monitoring/draw.ts";
import { Household } from "../../../../sandbox/monitoring/household.ts";
import { monthOf, readDashboard, spanOf } from "../../../../sandbox/monitoring/pictures.ts";
import { Prometheus } from "../../../../sandbox/monitoring/prometheus.ts";
import { World } from "../../world.ts";
import { addTargets, goodNight, passwordFile, record } from "../../status/cluster.ts";

const household = new Household(Date.UTC(2026, 10, 23));
let dashboard: Dashboard & {
  readonly uid: string;
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string }[];
  };
};

beforeAll(async () => {
  dashboard = (await readDashboard()) as typeof dashboard;
});

/** Titles of panels whose content goes beyond them. */
const CUT = `[...document.querySelectorAll("section")].flatMap((section) => {
  const frame = section.getBoundingClientRect();
  const beyond = [...section.querySelectorAll("svg, svg text, .legend, .stat")].some((each) => {
    const { right, bottom, left } = each.getBoundingClientRect();
    return right > frame.right + 1 || bottom > frame.bottom + 1 || left < frame.left - 1;
  });
  return beyond ? [section.querySelector("h2").innerText] : [];
})`;

const expressions = (): string[] =>
  dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

describe("the dashboard", () => {
  it("can be imported: unique ids, panels that do not overlap, variables for source and hub", () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)}:${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...dashboard.panels.map(({ gridPos: { x, w } }) => x + w))).toBe(24);
    expect(dashboard.templating.list).toMatchObject([
      { name: "datasource", type: "datasource", query: "prometheus" },
      { name: "instance", type: "query" },
    ]);
    const text = JSON.stringify(dashboard);
    const sources = text.match(/"datasource":/g) ?? [];
    const ours = text.match(/"datasource":\{"type":"prometheus","uid":"\$\{datasource\}"\}/g) ?? [];
    expect(ours.length).toBe(sources.length);
    expect(ours.length).toBeGreaterThan(dashboard.panels.length);
  });

  it("has for each panel a title, an explanation, a unit, queries and their legends", () => {
    expect(dashboard.panels.length).toBeGreaterThan(15);
    for (const { title, description, targets, fieldConfig } of dashboard.panels) {
      expect(title).not.toBe("");
      expect(description, title).toMatch(/\.$/);
      expect(["s", "bytes", "none", "percentunit"], title).toContain(fieldConfig.defaults.unit);
      expect(targets.length, title).toBeGreaterThan(0);
      const ids = targets.map(({ refId }) => refId);
      expect(new Set(ids).size, title).toBe(ids.length);
      for (const { legendFormat } of targets) expect(legendFormat, title).not.toBe("");
    }
  });

  it("asks for metrics and labels that there are, of the hubs that are chosen", () => {
    const labels = new Map(FAMILIES.map(({ name, labelNames }) => [name, labelNames]));
    for (const expr of expressions()) {
      const asked = [...expr.matchAll(/(offsite_\w+)(\{[^}]*\})?/g)];
      expect(asked.length, expr).toBeGreaterThan(0);
      for (const [, name = "", selector = ""] of asked) {
        expect(labels.has(name), name).toBe(true);
        expect(selector, expr).toContain('instance=~"$instance"');
        for (const [, label = ""] of selector.matchAll(/(\w+)=/g))
          expect(["instance", ...(labels.get(name) ?? [])], expr).toContain(label);
      }
    }
  });

  it("shows every kind of thing that the metrics tell of", () => {
    const all = expressions().join("\n");
    for (const kind of ["backup", "repository", "target", "waiting", "mirror", "verify", "prune"])
      expect(all).toContain(`offsite_${kind}_`);
    for (const kind of ["drill", "credential_generation", "key_expiry", "certificate", "guest"])
      expect(all).toContain(`offsite_${kind}`);
  });
});

describe("over a month that Prometheus has seen", () => {
  let prometheus: Prometheus;
  beforeAll(async () => {
    prometheus = await monthOf(household);
  });
  afterAll(async () => prometheus.stop());

  it("every query answers, and every line has a name of its own", async () => {
    for (const panel of dashboard.panels) {
      const answers = await ask(prometheus, panel, spanOf(household));
      for (const [at, lines] of answers.entries()) {
        expect(lines.length, `${panel.title}: ${panel.targets[at]?.expr ?? ""}`).toBeGreaterThan(0);
        for (const { values } of lines) {
          expect(values.length).toBeGreaterThan(0);
          expect(values.filter(([, value]) => !Number.isFinite(value))).toEqual([]);
        }
      }
      const names = answers.flat().map(({ name }) => name);
      expect(new Set(names).size, panel.title).toBe(names.length);
    }
  });

  it("the bad week is seen, and nothing but it", async () => {
    const panel = (title: string) => dashboard.panels.find((each) => each.title === title);
    const query = (title: string) => filled(panel(title)?.targets[0]?.expr ?? "");
    const day = (at: number) => household.start / 1000 + at * 86_400;
    const value = async (title: string, at: number) =>
      (await prometheus.instant(query(title), day(at)))[0]?.values[0]?.[1];
    expect(await value("Problems", 10)).toBe(0);
    expect(await value("Hosts not backed up", 10)).toBe(0);
    expect(await value("Hosts not backed up", 17)).toBe(1);
    expect(await value("Targets out of reach", 10)).toBe(0);
    expect(await value("Targets out of reach", 18)).toBe(1);
    expect(await value("Problems", 18)).toBeGreaterThan(1);
    expect(await value("Problems", 30)).toBe(0);
  });

  it("a browser shows all of it, without a request or a complaint", async () => {
    const browser = await startBrowser();
    try {
      const page = await browser.newPage({ viewport: { width: 1228, height: 800 } });
      const watched = watch(page);
      await page.setContent(await draw(prometheus, dashboard, spanOf(household)));
      expect(await page.locator("section").count()).toBe(dashboard.panels.length);
      expect(await page.getByText("No data").count()).toBe(0);
      expect(await page.content()).not.toMatch(/NaN|Infinity|undefined/);
      const cut: string[] = await page.evaluate(CUT);
      expect(cut).toEqual([]);
      expect(watched).toEqual({ requests: [], complaints: [] });
    } finally {
      await browser.close();
    }
  });
});

describe("over what a hub writes and Prometheus scrapes", () => {
  let world: World;
  let server: Server;
  const prometheus = new Prometheus();

  beforeAll(async () => {
    world = new World(["q", "minos"]);
    addTargets(world);
    for (const host of world.hosts) {
      await world.seed(host);
      await world.backup(host);
      record(world, "control", "peer", host);
      record(world, "control", "cloud", host);
    }
    world.settings = { passwordFiles: { q: passwordFile(world), minos: passwordFile(world) } };
    await goodNight(world, world.hosts);
    const { stdout } = await world.run("metrics");
    server = createServer((_, response) => {
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(`${stdout}\n`);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await prometheus.start([`127.0.0.1:${(server.address() as AddressInfo).port}`]);
  });

  afterAll(async () => {
    await prometheus.stop();
    server.close();
    await world.close();
  });

  it("every query answers but those for what this hub has not", async () => {
    await expect.poll(() => prometheus.instant("offsite_healthy")).toHaveLength(1);
    const silent: string[] = [];
    for (const expr of expressions()) {
      if ((await prometheus.instant(filled(expr))).length === 0) silent.push(expr);
    }
    // Neither keys that end, nor TLS, nor guests, nor a rotation's generations at a target that is none.
    const expected = /key_expiry|certificate_expiry|guest_size|target_held/;
    expect(silent.filter((expr) => !expected.test(expr))).toEqual([]);
  });
});
