// Draws the picture of README from a finished reproduction: node scripts/picture.mjs runs/<time>-reproduction
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { svgOfBars } from '../dist/src/reporting/bars.js';
import { standalone } from '../dist/src/reporting/chart.js';
import { barsOf } from '../dist/src/reporting/reproduction-page.js';

const PLOTS = fileURLToPath(new URL('../docs/plots/', import.meta.url));
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: node scripts/picture.mjs DIRECTORY_OF_A_REPRODUCTION');
const { rows } = JSON.parse(readFileSync(join(folder, 'reproduce.json'), 'utf8'));
const bars = barsOf(rows);
for (const scheme of /** @type {const} */ (['light', 'dark']))
  writeFileSync(join(PLOTS, `result-${scheme}.svg`), `${standalone(svgOfBars(bars), bars.title, scheme)}\n`);
