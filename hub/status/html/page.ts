/**
 * The status report as one page: no file beside it, no request, and no script that it would need. It
 * must not look well when it has gone stale, so its heading is of the time at which it was made.
 */
import { createHash } from "node:crypto";
import { counted } from "../../format.ts";
import { age, when } from "../findings.ts";
import type { StatusReport } from "../report.ts";
import { html, Markup, moment } from "./markup.ts";
import { SCRIPT, STYLE } from "./style.ts";
import {
  copyTable,
  credentialTable,
  diskTable,
  drillTable,
  guestTable,
  hostTable,
  targetTable,
} from "./tables.ts";

/** How often a browser asks for the page again, in seconds. */
const REFRESH = 300;

const hashOf = (text: string): string =>
  `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** Nothing is loaded from anywhere, and nothing runs but what is ours. */
const POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/**
 * Makes the page.
 *
 * @param distrustSeconds - the age from which the page says that it is not to be trusted.
 */
export function statusPage(report: StatusReport, distrustSeconds: number): string {
  const { healthy, hub, time } = report;
  const verdict = healthy ? "all well" : counted(report.problems.length, "problem");
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta http-equiv="refresh" content="${REFRESH}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <meta name="robots" content="noindex" />
        <title>${`${healthy ? "✓" : "✗"} ${hub}: ${verdict}`}</title>
        <link rel="icon" href="${icon(healthy)}" />
        ${new Markup(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <main data-made="${time}" data-limit="${distrustSeconds}">
          <header><p>Backups of ${hub} (${report.stack})</p></header>
          ${verdictOf(report, distrustSeconds)} ${list("Problems", report.problems)}
          ${hostTable(report)} ${targetTable(report)} ${copyTable(report)} ${drillTable(report)}
          ${credentialTable(report)} ${diskTable(report)} ${guestTable(report)} ${notices(report)}
          <footer>
            Made by <code>offsite-hub status --html</code> at ${moment(time, when(time))}. Times are
            UTC; ages are as of then. Nothing here asked a target: it is what the hub and its last
            runs know.
          </footer>
        </main>
        ${new Markup(`<script>${SCRIPT}</script>`)}
      </body>
    </html> `;
  return `${page.text.trim()}\n`;
}

function verdictOf({ healthy, problems, time }: StatusReport, distrustSeconds: number): Markup {
  const at = moment(time, when(time));
  const many = problems.length === 1 ? "One problem" : `${problems.length} problems`;
  const limit = age(distrustSeconds);
  return html`<section class="verdict warn stale old" role="alert">
      <h1>
        <span aria-hidden="true">!</span> Do not trust this page: it was made
        <span class="age">long ago</span>
      </h1>
      <p>
        It should be made anew much more often. Look at the hub: is it on, and does
        <code>offsite-status</code> run there?
      </p>
    </section>
    <section class="verdict warn stale ahead" role="alert">
      <h1><span aria-hidden="true">!</span> Do not trust this page: it is from the future</h1>
      <p>The hub's clock is wrong, or the one of your device.</p>
    </section>
    <section class="verdict told ${healthy ? "good" : "bad"}">
      <h1>
        <span aria-hidden="true">${healthy ? "✓" : "✗"}</span>
        ${healthy ? html`All was well at ${at}` : html`${many} at ${at}`}
      </h1>
      <p>
        This page was made <span class="age">at that time</span>. If that is more than ${limit} ago,
        do not trust it: look at the hub.
      </p>
    </section>`;
}

function list(title: string, lines: readonly string[]): Markup | null {
  if (lines.length === 0) return null;
  return html`<section>
    <h2>${title}</h2>
    <ol>
      ${lines.map((line) => html`<li>${line}</li> `)}
    </ol>
  </section>`;
}

function notices({ notices: lines }: StatusReport): Markup | null {
  if (lines.length === 0) return null;
  return html`<details>
    <summary>${counted(lines.length, "notice")}: worth knowing, and no problem</summary>
    <ul>
      ${lines.map((line) => html`<li>${line}</li> `)}
    </ul>
  </details>`;
}

function icon(healthy: boolean): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="${healthy ? "#0b6437" : "#a1201a"}"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
