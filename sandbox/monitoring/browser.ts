/** A real browser for tests and pictures: Chromium, without a network of its own. */
import { chromium, type Browser, type Page } from "playwright-core";
import { ensurePrograms } from "../../tools/index.ts";

/** Starts Chromium. Close it. */
export async function startBrowser(): Promise<Browser> {
  const programs = await ensurePrograms(["chromium"], {});
  return await chromium.launch({
    executablePath: programs.get("chromium")?.path ?? "chromium",
    args: [
      // Root has no sandbox; the pages are our own.
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-default-apps",
      "--disable-dev-shm-usage",
      "--disable-sync",
      "--no-first-run",
      "--no-pings",
    ],
  });
}

/** What a page asked for and complained of. */
export interface Watched {
  readonly requests: string[];
  readonly complaints: string[];
}

/** Notes every request but the page's own, and whatever the console says. */
export function watch(page: Page): Watched {
  const watched: Watched = { requests: [], complaints: [] };
  page.on("request", (request) => {
    if (!request.isNavigationRequest()) watched.requests.push(request.url());
  });
  page.on("console", (message) => watched.complaints.push(message.text()));
  page.on("pageerror", (error) => watched.complaints.push(error.message));
  return watched;
}

/** The texts of a page whose contrast with what is behind them is less than this, and how small. */
export async function weakTexts(page: Page, least: number): Promise<string[]> {
  return await page.evaluate<string[]>(`(${WEAK_TEXTS})(${least})`);
}

/** WCAG 2.2's contrast of every text that is seen. As text: it runs in the browser. */
const WEAK_TEXTS = `(least) => {
  const parse = (text) => {
    const [r = 0, g = 0, b = 0, a = 1] = (text.match(/[\\d.]+/g) ?? []).map(Number);
    return [r, g, b, a];
  };
  const over = (front, back) =>
    [0, 1, 2].map((at) => front[at] * front[3] + back[at] * (1 - front[3])).concat(1);
  const behind = (node) => {
    if (node === null) return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
    const own = parse(getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(node.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const weak = [];
  let seen = 0;
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].find((each) => each.nodeType === 3 && each.data.trim() !== "");
    const { width, height } = node.getBoundingClientRect();
    if (text === undefined || width === 0 || height === 0) continue;
    seen += 1;
    const back = behind(node);
    const [a, b] = [light(over(parse(getComputedStyle(node).color), back)), light(back)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least) weak.push(contrast.toFixed(2) + ": " + text.data.trim().slice(0, 40));
  }
  return seen === 0 ? ["no text at all"] : weak;
}`;
