// `pseudolabel compare`: shows several runs side by side, as a table and as a page with their curves.
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { writeAtomically } from '../../src/files/write.js';
import type { Comparison } from '../../src/reporting/compare-page.js';
import { tableLines } from '../terminal/table.js';
import type { Context } from './options.js';

const HELP = `
Examples:
  $ pseudolabel compare runs/a runs/b
  $ pseudolabel compare runs/reproduction/* --out comparison.html --json -`;

export function addCompare(program: Command, { terminal }: Context): void {
  program
    .command('compare')
    .description('several runs beside each other: a table, and their curves as a page')
    .argument('<runs...>', 'run directories')
    .option('--out <file>', 'page to write', 'compare.html')
    .option('--json <file>', 'write the table as JSON; - for stdout')
    .addHelpText('after', HELP)
    .action(async (folders: string[], { out, json }: { out: string; json?: string }) => {
      const [{ readRun }, pages] = await Promise.all([
        import('../report.js'),
        import('../../src/reporting/compare-page.js'),
      ]);
      const names = namesOf(folders);
      const runs = await Promise.all(folders.map((folder, f) => readRun(folder, names[f])));
      const comparison = pages.compared(runs);
      await writeAtomically(out, pages.comparePage(runs));
      const columns = pages.COMPARED_COLUMNS.map((title, c) => ({
        title,
        align: c < 3 ? ('left' as const) : ('right' as const),
      }));
      const lines = [
        ...tableLines(columns, pages.comparedCells(comparison)),
        ...differenceLines(comparison),
        `page: ${out}`,
      ];
      await terminal.deliver(() => lines, { ...comparison, page: out }, json);
    });
}

/** The names of the folders where these differ, else their paths. */
function namesOf(folders: readonly string[]): string[] {
  const names = folders.map((folder) => basename(resolve(folder)));
  return new Set(names).size === names.length ? names : [...folders];
}

function differenceLines({ runs, differences }: Comparison): string[] {
  if (differences.length === 0) return ['no options differ'];
  const columns = ['option', ...runs.map(({ run }) => run)].map((title) => ({ title, align: 'left' as const }));
  return [
    '',
    ...tableLines(
      columns,
      differences.map(({ option, values }) => [option, ...values]),
    ),
    '',
  ];
}
