// Makes HTML as text, and the frame of every page: one file that loads nothing.
import { createHash } from 'node:crypto';
import { PAGE_STYLE } from './theme.js';

/** Text that is HTML already, made by `html` or by a renderer that escapes. */
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
 * Makes HTML of a template, whose parts are escaped unless they are HTML. Attributes must be quoted. undefined adds
 * nothing, and the parts of a list are joined.
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

/** The policy of a page: nothing may be loaded and nothing may run, whatever got into the page. */
export const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** The parts of a page besides its text: a script that may run, and style rules of its own. */
export interface PageExtras {
  readonly script: string;
  readonly style: string;
}

/** A part of a page that the table of contents lists. */
export class Section extends Html {
  constructor(
    readonly title: string,
    readonly id: string,
    text: string,
  ) {
    super(text);
  }
}

/** Returns a whole HTML document. Parts before the first section come before the table of contents. */
export function page(title: string, lead: string, parts: readonly (Html | undefined)[], extras?: PageExtras): string {
  const { script, style } = extras ?? { script: '', style: '' };
  const policy = script === '' ? PAGE_POLICY : `${PAGE_POLICY}; script-src 'sha256-${sha256(script)}'`;
  const there = parts.filter((part) => part !== undefined);
  const first = there.findIndex((part) => part instanceof Section);
  const [before, after] = first < 0 ? [there, []] : [there.slice(0, first), there.slice(first)];
  return `<!doctype html>\n${
    html`<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title>
<style>${STYLE}${new Html(style)}</style></head>
<body><main><h1>${title}</h1><p class="lead">${lead}</p>
${before}${contents(after)}
${after.map((each) => html`${each}\n`)}</main>${script === '' ? undefined : scriptOf(script)}</body></html>`.text
  }\n`;
}

const FEWEST_CONTENTS = 3;

/** Returns links to the sections, or undefined if there are so few that all are visible at once. */
function contents(parts: readonly Html[]): Html | undefined {
  const sections = parts.filter((part) => part instanceof Section);
  if (sections.length < FEWEST_CONTENTS) return undefined;
  return html`<nav class="contents" aria-label="Contents"><ul>${sections.map(
    ({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`,
  )}</ul></nav>`;
}

/** Returns the script that the policy's hash allows, and no other. */
function scriptOf(script: string): Html {
  if (/<\/?script|<!--/i.test(script)) throw new RangeError('the script would end its element');
  return new Html(`<script type="module">${script}</script>`);
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64');

/** Returns a part of the page with a heading, or undefined if it is empty. */
export function section(title: string, parts: readonly (Html | undefined)[]): Section | undefined {
  const there = parts.filter((part) => part !== undefined);
  if (there.length === 0) return undefined;
  const id = title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return new Section(title, id, html`<section id="${id}"><h2>${title}</h2>${there}</section>`.text);
}

/** Returns a part that is shown only when the reader opens it. */
export const folded = (summary: string, parts: readonly (Html | undefined)[]): Html | undefined =>
  parts.some((part) => part !== undefined)
    ? html`<details class="folded"><summary>${summary}</summary>${parts}</details>`
    : undefined;

/** Returns the few numbers that readers look for first. */
export const facts = (pairs: readonly (readonly [name: string, value: string | undefined])[]): Html =>
  html`<dl class="facts">${pairs
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

export interface TableContent {
  readonly caption: string;
  readonly columns: readonly string[];
  /** The rows. The first cell of a row is its heading. */
  readonly rows: readonly (readonly (string | number | Html | undefined)[])[];
  /** Whether the text is flush left. */
  readonly isText?: boolean;
}

/**
 * The most columns of a table that becomes a list on a narrow screen. A table of more columns scrolls there in small
 * print.
 */
const MOST_LISTED = 11;

export function table({ caption, columns, rows, isText = false }: TableContent): Html {
  if (columns.length <= 2 || columns.length > MOST_LISTED) return plainTable({ caption, columns, rows, isText });
  // Without the roles, a list on a narrow screen would be no table to a screen reader.
  const body = rows.map(([first, ...cells]) => {
    const others = cells.map((cell, c) => html`<td role="cell" data-column="${columns[c + 1]}">${cell ?? '–'}</td>`);
    return html`<tr role="row"><th scope="row" role="rowheader">${first ?? '–'}</th>${others}</tr>`;
  });
  const heads = columns.map((column) => html`<th scope="col" role="columnheader">${column}</th>`);
  return html`<div class="scroll"><table role="table" class="listed${isText ? ' text' : ''}"><caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${heads}</tr></thead><tbody role="rowgroup">${body}</tbody></table></div>`;
}

function plainTable({ caption, columns, rows, isText }: Required<TableContent>): Html {
  const body = rows.map(([first, ...cells]) => {
    const others = cells.map((cell) => html`<td>${cell ?? '–'}</td>`);
    return html`<tr><th scope="row">${first ?? '–'}</th>${others}</tr>`;
  });
  const heads = columns.map((column) => html`<th scope="col">${column}</th>`);
  const kind = columns.length > 2 ? 'wide' : isText ? 'text' : 'plain';
  return wide(caption, kind, html`<thead><tr>${heads}</tr></thead><tbody>${body}</tbody>`);
}

/** Returns a table that may be wider than the screen. It scrolls on its own, also by the keyboard. kind: its class. */
export const wide = (caption: string, kind: string, inside: Html): Html =>
  html`<div class="scroll"${kind === 'plain' || kind === 'text' ? undefined : reachable(caption)}><table class="${kind}"><caption>${caption}</caption>
${inside}</table></div>`;

const reachable = (label: string): Html => html` tabindex="0" role="region" aria-label="${label}"`;
