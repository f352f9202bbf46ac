import { printable } from "../../format.ts";

/** A piece of a page that is HTML already; whatever else goes into a page is escaped. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What {@link html} takes: text is escaped, null and false are nothing. */
export type Content = Markup | string | number | null | false | readonly Content[];

/** A template of HTML. Whatever is put into it is escaped, unless it is {@link Markup}. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(parts.map((part, at) => part + textOf(values[at] ?? null)).join(""));
}

function textOf(content: Content): string {
  if (content === null || content === false) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "object") return content.map(textOf).join("");
  return escaped(String(content));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for an element or a quoted attribute; a character that is none, or turns text round, is `?`. */
function escaped(text: string): string {
  return printable(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/** How something stands; the page says it in a word too, never by colour alone. */
export type Mood = "good" | "bad" | "warn" | "none";

const SIGNS: Readonly<Record<Mood, string>> = { good: "✓", bad: "✗", warn: "!", none: "–" };

/** A word with its sign and colour. */
export function badge(mood: Mood, word: string): Markup {
  return html`<span class="badge ${mood}"><i aria-hidden="true">${SIGNS[mood]}</i> ${word}</span>`;
}

/** A time, for people and for programs. */
export function moment(time: string, text: string): Markup {
  return html`<time datetime="${time}">${text}</time>`;
}

/** One row: the first cell is its head. */
export type Row = readonly Content[];

/**
 * A table that is a list of cards on a narrow screen. Browsers forget what a table is where its rows
 * are laid out otherwise, so that the roles are said again.
 */
export function table(caption: string, head: readonly string[], rows: readonly Row[]): Markup {
  const cells = (row: Row): Markup[] =>
    row.map((cell, at) =>
      at === 0
        ? html`<th scope="row" role="rowheader">${cell}</th>`
        : html`<td role="cell" data-label="${head[at] ?? ""}"><span>${cell}</span></td>`,
    );
  return html`<table role="table">
    <caption>
      ${caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${head.map((each) => html`<th scope="col" role="columnheader">${each}</th>`)}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        (row) =>
          html`<tr role="row">
            ${cells(row)}
          </tr> `,
      )}
    </tbody>
  </table>`;
}
