/**
 * The documentation's pictures, drawn from text: Graphviz lays them out, and this gives them their
 * colours, by day and by night.
 *
 * A source is DOT; with `layout=neato` every node says where it is, in points. Its first comment lines say what the picture shows: `// title: …` and
 * `// description: …`, for those who do not see it. A colour is the name of one below, after an `@`.
 */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { Graphviz } from "@hpcc-js/wasm-graphviz";

/** The colours and what they mean, by day and by night. */
export const COLOURS: Readonly<Record<string, readonly [day: string, night: string]>> = {
  paper: ["#ffffff", "#0d1117"],
  ink: ["#1f2328", "#e6edf3"],
  // What is said beside: captions, arrows that explain.
  dim: ["#59636e", "#9198a1"],
  // What is there anyway: the family's machines.
  plain: ["#f6f8fa", "#161b22"],
  plainLine: ["#818b98", "#656c76"],
  // What this program makes and puts there.
  made: ["#ddf4ff", "#0c2d4d"],
  madeLine: ["#0969da", "#4493f8"],
  // Backups: where they lie, and how they travel.
  data: ["#dafbe1", "#0f3320"],
  dataLine: ["#1a7f37", "#3fb950"],
  // Secrets: who holds which.
  secret: ["#fff8c5", "#3a2d04"],
  secretLine: ["#9a6700", "#d29922"],
  // What is refused, or gone.
  stop: ["#ffebe9", "#4a1519"],
  stopLine: ["#cf222e", "#f85149"],
};

/** What every picture begins with. Text is laid out a little larger than it is shown: fonts differ. */
const DEFAULTS = `
  graph [bgcolor="@paper" fontname="Helvetica" fontsize=15 fontcolor="@dim" pad=0.25 nodesep=0.3 ranksep=0.45 color="@plainLine" style="rounded" penwidth=1]
  node [shape=box style="rounded,filled" fontname="Helvetica" fontsize=15 fontcolor="@ink" color="@plainLine" fillcolor="@plain" penwidth=1.3 margin="0.18,0.11" height=0.4]
  edge [fontname="Helvetica" fontsize=14 fontcolor="@dim" color="@plainLine" penwidth=1.6 arrowsize=0.75]
`;

const FONTS = `system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif`;

/** How much smaller text is shown than it was laid out. */
const TEXT_SCALE = 0.9;

/** Graphviz takes bold text for as narrow as other text. */
const BOLD_SCALE = 0.95;

/**
 * Draws every source of a folder.
 *
 * @param folder - where the `.dot` files are.
 * @returns the SVGs by the sources' names, `<name>.svg`.
 */
export async function drawPictures(folder: string): Promise<Map<string, string>> {
  const graphviz = await Graphviz.load();
  const sources = (await readdir(folder)).filter((file) => file.endsWith(".dot")).sort();
  const pictures = new Map<string, string>();
  for (const file of sources) {
    const source = await readFile(path.join(folder, file), "utf8");
    try {
      pictures.set(file.replace(/\.dot$/, ".svg"), draw(graphviz, source));
    } catch (error) {
      throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
  return pictures;
}

function draw(graphviz: Graphviz, source: string): string {
  const title = headLine(source, "title");
  const description = headLine(source, "description");
  const dot = source.replace("{", `{${DEFAULTS}`).replace(/"@([A-Za-z]+)"/g, (_, name: string) => {
    const [day] = COLOURS[name] ?? [];
    if (day === undefined) {
      throw new Error(`no colour is called ${name}; there are ${Object.keys(COLOURS).join(", ")}`);
    }
    return `"${day}"`;
  });
  const [, engine = "dot"] = /\blayout=(dot|neato)\b/.exec(source) ?? [];
  const drawn = graphviz.layout(dot, "svg", engine as "dot" | "neato");
  const [, width = "", height = "", box = ""] =
    /<svg width="(\d+)pt" height="(\d+)pt"\s+viewBox="([^"]+)"/.exec(drawn) ?? [];
  const body = drawn
    .slice(drawn.indexOf("<g id="), drawn.lastIndexOf("</svg>"))
    // Names of nodes, which would be shown where the mouse rests, and what nobody refers to.
    .replace(/<title>[\s\S]*?<\/title>\n/g, "")
    .replace(/<!--[\s\S]*?-->\n/g, "")
    .replace(/ id="[^"]*"/g, "")
    .replace(/ font-family="[^"]*"/g, "")
    .replace(/font-weight="bold" font-size="([\d.]+)"/g, (_, size: string) => {
      return `font-weight="600" font-size="${shown(size, TEXT_SCALE * BOLD_SCALE)}"`;
    })
    .replace(/(?<!"600" )font-size="([\d.]+)"/g, (_, size: string) => {
      return `font-size="${shown(size, TEXT_SCALE)}"`;
    });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${box}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escape(title)}</title>`,
    `<desc id="description">${escape(description)}</desc>`,
    `<style>${style()}</style>`,
    body.trim(),
    "</svg>",
    "",
  ].join("\n");
}

const shown = (size: string, scale: number) => String(Math.round(Number(size) * scale * 10) / 10);

/** The value of a comment line at the source's beginning. */
function headLine(source: string, name: string): string {
  const [, value] = new RegExp(`^// ${name}: (.+)$`, "m").exec(source) ?? [];
  if (value === undefined) throw new Error(`a line "// ${name}: …" is missing`);
  return value;
}

/** By night every colour of the day is its other one. */
function style(): string {
  const night = Object.values(COLOURS).flatMap(([day, other]) => [
    `[fill="${day}"]{fill:${other}}`,
    `[stroke="${day}"]{stroke:${other}}`,
  ]);
  return `text{font-family:${FONTS}}@media (prefers-color-scheme:dark){${night.join("")}}`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
