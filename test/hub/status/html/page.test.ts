import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { statusPage } from "../../../../hub/status/html/page.ts";
import type { StatusReport } from "../../../../hub/status/report.ts";
import { startBrowser, watch, weakTexts } from "../../../../sandbox/monitoring/browser.ts";
import { Household } from "../../../../sandbox/monitoring/household.ts";

const HOUR = 3_600_000;
const household = new Household(Date.UTC(2026, 10, 23));
const good = household.at(household.end);
const bad = household.at(household.start + 18.5 * 24 * HOUR);

const EVIL = `"><img src=x onerror="globalThis.owned=1"><script>globalThis.owned=1</script></style>'&amp;`;
const LONG = "m".repeat(400);

/** The report with what others chose made as bad as it can be. */
function hostile(): StatusReport {
  const [host] = Object.values(bad.hosts);
  const [target] = Object.values(bad.targets);
  const [guest] = Object.values(bad.guests);
  if (!host || !target || !guest) throw new Error("an empty household");
  const copy = Object.values(target.hosts)[0];
  return {
    ...bad,
    hub: EVIL,
    stack: LONG,
    problems: [EVIL, LONG, "turned \u202e round \u001b[31m"],
    notices: [EVIL],
    hosts: { [EVIL]: host, [LONG]: { ...host, lastBackup: null } },
    targets: {
      [EVIL]: { ...target, type: EVIL, hosts: copy ? { [EVIL]: copy } : {} },
      [LONG]: target,
    },
    guests: { [EVIL]: guest, [LONG]: guest },
  };
}

let browser: Browser;
let server: Server;
let address: string;
let content: string;
let asked: string[];
let page: Page | undefined;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  browser = await startBrowser();
});

afterAll(async () => {
  await browser.close();
  server.close();
});

beforeEach(() => {
  asked = [];
});

afterEach(async () => {
  await page?.close();
});

interface View {
  readonly width?: number;
  readonly colorScheme?: "light" | "dark";
  readonly javaScriptEnabled?: boolean;
  /** Milliseconds after the page was made. */
  readonly later?: number;
}

async function show(report: StatusReport, view: View = {}) {
  content = statusPage(report, 3 * 3600);
  const { width = 1200, later = 60_000, ...options } = view;
  page = await browser.newPage({ viewport: { width, height: 800 }, ...options });
  const watched = watch(page);
  await page.clock.install({ time: Date.parse(report.time) + later });
  await page.goto(address);
  return { page, watched };
}

describe("the status page", () => {
  it.each([
    ["a good day", 1200, "light", good],
    ["a good day", 360, "dark", good],
    ["a bad day", 1200, "dark", bad],
    ["a bad day", 360, "light", bad],
    ["hostile names", 1200, "light", hostile()],
    ["hostile names", 360, "dark", hostile()],
  ] as const)(
    "of %s, %i px wide and %s, has no weak text, nothing to scroll sideways, no request but its own",
    async (_, width, colorScheme, report) => {
      const { page: shown, watched } = await show(report, { width, colorScheme });
      await shown.locator("summary").click();
      expect(await weakTexts(shown, 4.5)).toEqual([]);
      expect(await shown.evaluate("document.documentElement.scrollWidth")).toBe(width);
      expect(watched).toEqual({ requests: [], complaints: [] });
      expect(asked).toEqual(["/"]);
      const dark = colorScheme === "dark";
      const background: string = await shown.evaluate(
        "getComputedStyle(document.body).backgroundColor",
      );
      expect(background).toBe(dark ? "rgb(15, 19, 24)" : "rgb(244, 245, 247)");
    },
  );

  it("shows hostile text as text", async () => {
    const { page: shown } = await show(hostile());
    expect(await shown.evaluate("globalThis.owned")).toBeUndefined();
    expect(await shown.locator("img, script:not(main + script), iframe").count()).toBe(0);
    const [first, , third] = await shown.locator("ol li").allTextContents();
    expect(first).toBe(EVIL);
    expect(third).toBe("turned ? round ?[31m");
    expect(await shown.title()).toContain(EVIL);
  });

  it("runs and loads nothing else, whatever might be smuggled in", async () => {
    const { page: shown } = await show(good);
    await shown.evaluate(`(() => {
      const script = document.createElement("script");
      script.textContent = "globalThis.owned = 1";
      document.body.append(script);
      document.body.append(Object.assign(new Image(), { src: "/stolen" }));
    })()`);
    await expect(shown.evaluate("fetch('/stolen')")).rejects.toThrow();
    expect(await shown.evaluate("globalThis.owned")).toBeUndefined();
    expect(asked).toEqual(["/"]);
  });

  it("says in its heading when all was well, with scripts and without", async () => {
    for (const javaScriptEnabled of [true, false]) {
      const { page: shown } = await show(good, { javaScriptEnabled });
      expect(await shown.getByRole("heading", { level: 1 }).count()).toBe(1);
      const visible = await shown.locator("h1:visible").allInnerTexts();
      expect(visible).toEqual(["✓ All was well at 2026-11-23 00:00 UTC"]);
      expect(await shown.locator(".told p").innerText()).toContain(
        "If that is more than 3 h ago, do not trust it",
      );
      await shown.close();
    }
  });

  it("counts the problems in its title and names each", async () => {
    const { page: shown } = await show(bad);
    expect(await shown.title()).toBe("✗ ursula: 2 problems");
    expect(await shown.locator("ol li").allTextContents()).toEqual(bad.problems);
    expect(await shown.locator("main").innerText()).toContain("did not answer");
  });

  it("does not look well once it is too old, or from the future", async () => {
    const old = await show(good, { later: 3 * HOUR + 1000 });
    expect(await old.page.locator("h1:visible").first().innerText()).toBe(
      "! Do not trust this page: it was made 3 hours ago",
    );
    expect(await old.page.title()).toBe("! Do not trust: ✓ ursula: all well");
    const colour: string = await old.page.evaluate(
      "getComputedStyle(document.querySelector('.told')).color",
    );
    expect(colour).not.toBe("rgb(11, 100, 55)");
    expect(await weakTexts(old.page, 4.5)).toEqual([]);
    await old.page.close();
    const early = await show(good, { later: -HOUR });
    expect(await early.page.locator("h1:visible").first().innerText()).toContain("from the future");
  });

  it("grows old under the eyes of whoever left it open", async () => {
    const { page: shown } = await show(good);
    expect(await shown.locator("h1:visible").first().innerText()).toContain("All was well");
    // What reloads it would get the same page from a hub that makes no new one.
    await shown.clock.fastForward(4 * HOUR);
    await expect
      .poll(() => shown.locator("h1:visible").first().innerText())
      .toContain("Do not trust this page: it was made 4 hours ago");
  });

  it("is made of tables with heads, also where they are shown as cards", async () => {
    const { page: shown } = await show(bad, { width: 360 });
    expect(await shown.locator("html").getAttribute("lang")).toBe("en");
    for (const name of ["Hosts", "Targets", "Copies", "Credentials", "Guests"]) {
      await expect.poll(() => shown.getByRole("table", { name }).count()).toBe(1);
    }
    const hosts = shown.getByRole("table", { name: "Hosts" });
    expect(await hosts.getByRole("rowheader").allTextContents()).toEqual(Object.keys(bad.hosts));
    expect(await hosts.getByRole("columnheader").count()).toBe(7);
  });

  it("tells nothing by colour alone", async () => {
    const { page: shown } = await show(bad);
    const badges = await shown.locator(".badge").allInnerTexts();
    expect(badges.length).toBeGreaterThan(20);
    for (const badge of badges) expect(badge).toMatch(/^[✓✗!–] \w/);
  });
});
