// Draws the picture of README from the results of runs with 100 labels of MNIST, over any number of splits:
// node scripts/picture.mjs runs/*-reproduction/split-*/*/result.json
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROWS, rowsOf } from '../dist/coordinator/runs/reproduction.js';
import { svgOfBars } from '../dist/src/reporting/bars.js';
import { standalone } from '../dist/src/reporting/chart.js';
import { barsOf } from '../dist/src/reporting/reproduction-page.js';
import { normalise } from '../dist/src/training/config.js';

const PLOTS = fileURLToPath(new URL('../docs/plots/', import.meta.url));
const files = process.argv.slice(2);
if (files.length === 0)
  throw new Error('usage: node scripts/picture.mjs RESULT.json... (what `train --json` has written)');
const results = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
const bars = barsOf(rowsOf(ROWS, results, normalise({})));
for (const scheme of /** @type {const} */ (['light', 'dark']))
  writeFileSync(join(PLOTS, `result-${scheme}.svg`), `${standalone(svgOfBars(bars), bars.title, scheme)}\n`);
