/** Takes the pictures of docs/: the dashboard's queries over a made-up month, and the status page. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Browser } from "playwright-core";
import { statusPage } from "../../hub/status/html/page.ts";
import { startBrowser } from "./browser.ts";
import { draw, type Dashboard } from "./draw.ts";
import { DAYS, Household } from "./household.ts";
import { Prometheus, STEP_SECONDS } from "./prometheus.ts";

const DOCS = path.join(import.meta.dirname, "../../docs");
const DASHBOARD = path.join(import.meta.dirname, "../../hub/monitoring/dashboard.json");
const DAY = 86_400_000;

/** The dashboard as it is checked in. */
export async function readDashboard(): Promise<Dashboard> {
  return JSON.parse(await readFile(DASHBOARD, "utf8")) as Dashboard;
}

/** A Prometheus that has seen a household's month. Stop it. */
export async function monthOf(household: Household): Promise<Prometheus> {
  const prometheus = new Prometheus();
  try {
    const times: number[] = [];
    for (let time = household.start; time <= household.end; time += STEP_SECONDS * 1000)
      times.push(time);
    await prometheus.backfill(times, (time) => household.at(time));
    await prometheus.start();
    return prometheus;
  } catch (error) {
    await prometheus.stop();
    throw error;
  }
}

/** The month of a household that the picture shows, in seconds. */
export function spanOf({ end }: Household): { start: number; end: number } {
  return { start: (end - (DAYS - 1) * DAY) / 1000, end: end / 1000 };
}

async function pictureDashboard(
  browser: Browser,
  household: Household,
  file: string,
): Promise<void> {
  const prometheus = await monthOf(household);
  try {
    const page = await browser.newPage({ viewport: { width: 1228, height: 800 } });
    await page.setContent(await draw(prometheus, await readDashboard(), spanOf(household)));
    await page.screenshot({ path: file, fullPage: true });
    await page.close();
  } finally {
    await prometheus.stop();
  }
}

/** The same page twice: a good day in the light, a bad day in the dark on a phone. */
async function pictureStatus(browser: Browser, household: Household, file: string): Promise<void> {
  const shots: string[] = [];
  for (const [colorScheme, width, time] of [
    ["light", 1000, household.end],
    ["dark", 400, household.start + 18.5 * DAY],
  ] as const) {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    await page.clock.install({ time: time + 300_000 });
    await page.setContent(statusPage(household.at(time), 3 * 3600));
    shots.push((await page.screenshot()).toString("base64"));
    await page.close();
  }
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  const images = shots.map((shot) => `<img src="data:image/png;base64,${shot}">`);
  await page.setContent(`<body style="margin:0;display:flex">${images.join("")}</body>`);
  await page.screenshot({ path: file });
  await page.close();
}

if (process.argv[1] === import.meta.filename) {
  const folder = process.argv[2] ?? DOCS;
  const household = new Household(Date.UTC(2026, 10, 23));
  const browser = await startBrowser();
  try {
    await pictureStatus(browser, household, path.join(folder, "status.png"));
    await pictureDashboard(browser, household, path.join(folder, "dashboard.png"));
  } finally {
    await browser.close();
  }
}
