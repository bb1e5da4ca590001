// The look of pages and charts: colours by role, in light and dark, and the style of a page.

/**
 * The colours of charts. Those of series are by Okabe and Ito ("Color Universal Design", 2008), darkened where white
 * paper needs it. A series also has a dash pattern of its own. Charts are drawn in the light colours; in a page, each
 * becomes the colour of its role.
 */
export const LIGHT = {
  ink: '#1d2126',
  faint: '#5a6370',
  line: '#d5dae1',
  paper: '#ffffff',
  series1: '#0067a6',
  series2: '#b84a00',
  series3: '#00795a',
  series4: '#a8457f',
  series5: '#7a6200',
  series6: '#3f4fb0',
} as const;

export type Role = keyof typeof LIGHT;

const DARK: Record<Role, string> = {
  ink: '#e8ebef',
  faint: '#a3adba',
  line: '#3a424d',
  paper: '#14171b',
  series1: '#56b4e9',
  series2: '#ff9b4a',
  series3: '#35c99b',
  series4: '#e38fc0',
  series5: '#e0c341',
  series6: '#9aa8ff',
};

export const SERIES = ['series1', 'series2', 'series3', 'series4', 'series5', 'series6'] as const satisfies Role[];

const declarations = (colours: Record<Role, string>): string =>
  Object.entries(colours)
    .map(([role, colour]) => `--${role}:${colour}`)
    .join(';');

/** Replaces the light colours of a chart by those of the page that it is in. */
export function themed(svg: string): string {
  let text = svg;
  for (const [role, colour] of Object.entries(LIGHT)) text = text.replaceAll(`"${colour}"`, `"var(--${role})"`);
  return text;
}

/** Replaces the light colours of a chart by the dark ones. */
export function darkened(svg: string): string {
  let text = svg;
  for (const [role, colour] of Object.entries(LIGHT)) text = text.replaceAll(`"${colour}"`, `"${DARK[role as Role]}"`);
  return text;
}

export const PAGE_STYLE = `
:root{color-scheme:light dark;${declarations(LIGHT)}}
@media (prefers-color-scheme:dark){:root{${declarations(DARK)}}}
@media print{:root{color-scheme:light;${declarations(LIGHT)}}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0 auto;max-width:76rem;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:2.5rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.5rem 0 .4rem}
p{max-width:62rem;margin:.4rem 0}
.lead,caption,figcaption,.note{color:var(--faint)}
.lead{overflow-wrap:anywhere}
.note{border-left:3px solid var(--series2);padding:.2rem .8rem}
a{color:var(--series1)}
:focus-visible{outline:3px solid var(--series1);outline-offset:2px}
.contents ul{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;list-style:none;margin:1rem 0 0;padding:0}
.facts{display:flex;flex-wrap:wrap;gap:.6rem 2.5rem;margin:.6rem 0 1rem}
.facts dt{color:var(--faint);font-size:.9rem}
.facts dd{margin:0;font-size:1.5rem;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.6rem 0}
caption{text-align:left;padding:.2rem 0}
th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child,.text th{text-align:left}
tbody th{white-space:nowrap}
thead th{border-bottom:2px solid var(--faint)}
.text td{text-align:left;overflow-wrap:anywhere}
.wide td,.listed:not(.text) td{white-space:nowrap}
.heat td{background:color-mix(in srgb,var(--series2) calc(var(--share)*55%),var(--paper));min-width:3.2rem}
.heat td.right{background:color-mix(in srgb,var(--series1) calc(var(--share)*30%),var(--paper));font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:1rem 1.5rem}
.answer{max-width:44rem}
figure{margin:.6rem 0;break-inside:avoid}
figure svg{width:100%;height:auto;display:block}
figcaption{font-size:.9rem}
details{margin:.3rem 0;font-size:.9rem}
details.folded{font-size:1rem}
summary{cursor:pointer;color:var(--faint)}
.digits{display:flex;flex-wrap:wrap;gap:.8rem;padding:0;list-style:none}
.digits li{width:6.5rem;font-size:.85rem;break-inside:avoid}
.digits img,.rows img{image-rendering:pixelated;background:#000;display:block}
.digits img{width:5.5rem;height:auto}
.digits .lost{color:var(--series2)}
.rows td{border:0;padding:.15rem}
.rows th{border:0}
.rows img{width:3.5rem;height:auto}
code{font-size:.9em;overflow-wrap:anywhere}
pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid var(--line);border-radius:4px;padding:.6rem .8rem;margin:.4rem 0;max-width:62rem}
@media (max-width:40rem){
body{padding-top:1rem}
h1{font-size:1.4rem}
tbody th{white-space:normal;overflow-wrap:anywhere}
.plain th,.plain td,.text th,.text td{padding:.2rem .4rem}
.listed,.listed tbody,.listed tr,.listed th,.listed td,.listed caption{display:block;width:100%}
.listed thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.listed tbody tr{border-bottom:2px solid var(--line);padding:.3rem 0}
.listed th,.listed td{border:0;padding:.1rem 0}
.listed td{display:flex;justify-content:space-between;gap:1rem;text-align:right}
.listed td::before{content:attr(data-column);color:var(--faint);text-align:left}
.wide,.heat{font-size:.66rem;line-height:1.35}
.heat{font-size:.6rem}
.wide th,.wide td,.heat th,.heat td{padding:.15rem .12rem}
.heat td{min-width:0}
.wide th,.heat th{white-space:normal}
.rows img{width:calc((100vw - 7.5rem)/10)}
.rows td{padding:.06rem}
.rows th{font-size:.65rem;padding:.1rem}
}
@media print{body{max-width:none;padding:0;font-size:11pt}h2{break-after:avoid}details,.contents{display:none}*{print-color-adjust:exact}}
`.replaceAll('\n', '');
