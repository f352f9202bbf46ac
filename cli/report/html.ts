/** The comment as a page of its own, as a forge shows it: for a browser, without a forge. */
import { Marked } from "marked";
import { printable } from "../../hub/format.ts";

const STYLE = `
:root { color-scheme: light dark; --text: #1f2328; --back: #fff; --line: #d1d9e0; --soft: #f6f8fa;
  --red: #cf222e; --blue: #0969da; --add: #dafbe1; --cut: #ffebe9; }
@media (prefers-color-scheme: dark) { :root { --text: #f0f6fc; --back: #0d1117; --line: #3d444d;
  --soft: #151b23; --red: #f85149; --blue: #4493f8; --add: #12261e; --cut: #301b1e; } }
body { font: 16px/1.5 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; color: var(--text);
  background: var(--back); max-width: 56rem; margin: 1.5rem auto; padding: 0 1rem;
  overflow-wrap: break-word; }
h3 { font-size: 1.25rem; margin: 0 0 .5rem; }
code { font: .85em/1.45 ui-monospace, "DejaVu Sans Mono", monospace; background: var(--soft);
  border-radius: .3em; padding: .15em .35em; }
pre { background: var(--soft); border-radius: .4rem; padding: .75rem; overflow-x: auto; }
pre code { padding: 0; background: none; }
pre span { display: block; min-width: max-content; }
.add { background: var(--add); } .cut { background: var(--cut); }
blockquote { margin: 1rem 0; padding: .1rem 1rem; border-left: .25rem solid var(--line); }
blockquote.caution { border-color: var(--red); } blockquote.note { border-color: var(--blue); }
blockquote > b { color: var(--red); } blockquote.note > b { color: var(--blue); }
summary { cursor: pointer; font-weight: 600; padding: .5rem 0; }
sub { color: color-mix(in srgb, var(--text) 70%, var(--back)); vertical-align: baseline; }
ul { padding-left: 1.4rem; } li { margin: .15rem 0; }
`;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function html(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => entities[character] ?? character);
}

const KINDS = { CAUTION: "Caution", NOTE: "Note" } as const;

const marked = new Marked({ gfm: true }).use({
  renderer: {
    code({ text, lang }) {
      const line = (each: string) => {
        const kind = each.startsWith("+") ? "add" : each.startsWith("-") ? "cut" : "";
        return `<span class="${lang === "diff" ? kind : ""}">${html(each) || " "}</span>`;
      };
      return `<pre><code>${text.split("\n").map(line).join("")}</code></pre>`;
    },
    blockquote({ tokens, raw }) {
      const kind = /^> \[!(CAUTION|NOTE)\]/.exec(raw)?.[1] as keyof typeof KINDS | undefined;
      const body = this.parser.parse(tokens);
      if (kind === undefined) return `<blockquote>${body}</blockquote>`;
      const rest = body.replace(`[!${kind}]`, "").replace("<p>\n", "<p>");
      return `<blockquote class="${kind.toLowerCase()}"><b>${KINDS[kind]}</b>${rest}</blockquote>`;
    },
  },
});

/**
 * Makes a page that needs nothing from elsewhere, light or dark as the reader has it.
 *
 * @param comment - Markdown of ours, in which all that others chose is escaped already.
 */
export function reportPage(comment: string, stack: string): string {
  const body = marked.parse(comment, { async: false });
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>offsite report: ${html(printable(stack))}</title>
<style>${STYLE}</style>
</head>
<body>
${body}</body>
</html>
`;
}
