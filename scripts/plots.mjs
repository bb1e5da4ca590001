// Makes the plots that README and docs show, on this machine: npm run plots. Best when nothing else is running on it.
// Arguments are passed on to `pseudolabel scaling`.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('pseudolabel.mjs', import.meta.url));
const PLOTS = fileURLToPath(new URL('../docs/plots/', import.meta.url));

/** What is measured, and what the names of its plots begin with. */
const MEASUREMENTS = [{ prefix: 'workers', args: ['--phase', 'all', '--strategy', 'data', '--repeats', '15'] }];

for (const { prefix, args } of MEASUREMENTS) {
  const out = mkdtempSync(join(tmpdir(), 'pseudolabel-plots-'));
  try {
    const all = [LAUNCHER, 'scaling', ...args, ...process.argv.slice(2), '--out', out];
    const { status } = spawnSync(process.execPath, all, { stdio: 'inherit' });
    if (status !== 0) process.exit(status ?? 1);
    for (const name of readdirSync(join(out, 'plots'))) {
      cpSync(join(out, 'plots', name), join(PLOTS, `${prefix}-${name}`));
    }
    cpSync(join(out, 'scaling.txt'), join(PLOTS, `${prefix}.txt`));
  } finally {
    rmSync(out, { recursive: true });
  }
}
