// HTML as text, and the frame of every page: one file that needs nothing from anywhere else.
import { createHash } from 'node:crypto';
import { PAGE_STYLE } from './theme.js';

/** Text that is HTML already: made by `html`, or by a renderer that escapes. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = Html | string | number | undefined | readonly Part[];

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);

/**
 * A template whose parts are escaped unless they are HTML. Attributes must be quoted. undefined adds nothing; the parts
 * of a list are joined.
 */
export function html(template: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(String.raw({ raw: template }, ...parts.map(textOf)));
}

function textOf(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(textOf).join('');
  return escaped(String(part));
}

const STYLE = new Html(PAGE_STYLE);

/** Nothing may be loaded and nothing may run, whatever got into the page. */
export const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** What a page has besides its text: a script that may run, and rules of its own. */
export interface PageExtras {
  readonly script: string;
  readonly style: string;
}

/** A whole HTML document. */
export function page(
  title: string,
  lead: string,
  sections: readonly (Html | undefined)[],
  extras?: PageExtras,
): string {
  const { script, style } = extras ?? { script: '', style: '' };
  const policy = script === '' ? PAGE_POLICY : `${PAGE_POLICY}; script-src 'sha256-${sha256(script)}'`;
  return `<!doctype html>\n${
    html`<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title>
<style>${STYLE}${new Html(style)}</style></head>
<body><main><h1>${title}</h1><p class="lead">${lead}</p>
${sections.map((each) => html`${each}\n`)}</main>${script === '' ? undefined : scriptOf(script)}</body></html>`.text
  }\n`;
}

/** The script that this hash allows, and no other. */
function scriptOf(script: string): Html {
  if (/<\/?script|<!--/i.test(script)) throw new RangeError('the script would end its element');
  return new Html(`<script type="module">${script}</script>`);
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64');

/** A part of the page with a heading; undefined where there is nothing in it. */
export function section(title: string, parts: readonly (Html | undefined)[]): Html | undefined {
  const there = parts.filter((part) => part !== undefined);
  return there.length === 0 ? undefined : html`<section><h2>${title}</h2>${there}</section>`;
}

export interface TableContent {
  readonly caption: string;
  readonly columns: readonly string[];
  /** The first cell of a row is its heading. */
  readonly rows: readonly (readonly (string | number | Html | undefined)[])[];
  /** Flush left. */
  readonly isText?: boolean;
}

export function table({ caption, columns, rows, isText = false }: TableContent): Html {
  const body = rows.map(([first, ...cells]) => {
    const others = cells.map((cell) => html`<td>${cell ?? '–'}</td>`);
    return html`<tr><th scope="row">${first ?? '–'}</th>${others}</tr>`;
  });
  return html`<div class="scroll"><table${isText ? TEXT : undefined}><caption>${caption}</caption>
<thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead><tbody>${body}</tbody></table></div>`;
}

const TEXT = html` class="text"`;
