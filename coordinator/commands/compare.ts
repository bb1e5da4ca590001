// `pseudolabel compare`: shows several runs side by side, as a table and as a page with their curves.
import { resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { writeAtomically } from '../../src/files/write.js';
import type { Comparison, Repetitions } from '../../src/reporting/compare-page.js';
import { tableLines } from '../terminal/table.js';
import type { Context } from './options.js';

const HELP = `
Examples:
  $ pseudolabel compare runs/a runs/b
  $ pseudolabel compare runs/a runs/b --out comparison.html
  $ pseudolabel compare runs/reproduction/* --out comparison.html --json -`;

export function addCompare(program: Command, { terminal }: Context): void {
  program
    .command('compare')
    .description('several runs beside each other: a table, and with --out a page with their curves')
    .argument('<runs...>', 'run directories')
    .option('--out <file>', 'page to write, with means, deviations and curves (none)')
    .option('--json <file>', 'write the table as JSON; - for stdout')
    .addHelpText('after', HELP)
    .action(async (folders: string[], { out, json }: { out?: string; json?: string }) => {
      const [{ readRun }, pages] = await Promise.all([
        import('../report.js'),
        import('../../src/reporting/compare-page.js'),
      ]);
      const names = namesOf(folders);
      const runs = await Promise.all(folders.map((folder, f) => readRun(folder, names[f])));
      const comparison = pages.compared(runs);
      if (out !== undefined) await writeAtomically(out, pages.comparePage(runs));
      const columns = pages.COMPARED_COLUMNS.map((title, c) => ({
        title,
        align: c < 3 ? ('left' as const) : ('right' as const),
      }));
      const lines = [
        ...tableLines(columns, pages.comparedCells(comparison)),
        ...differenceLines(comparison),
        ...repetitionLines(pages.repetitionsOf(runs), pages.summaryText),
        out === undefined ? 'add --out FILE for a page with their curves' : `page: ${out}`,
      ];
      await terminal.deliver(() => lines, { ...comparison, page: out }, json);
    });
}

/** Returns the names of the folders, with as many of the parent folders as are needed to tell them apart. */
function namesOf(folders: readonly string[]): string[] {
  const paths = folders.map((folder) => resolve(folder).split(sep).filter(Boolean));
  for (let kept = 1; ; kept++) {
    const names = paths.map((path) => path.slice(-kept).join('/'));
    if (new Set(names).size === names.length || paths.every((path) => path.length <= kept)) return names;
  }
}

/** Returns lines of means and deviations, if some runs repeat others with another seed or split. */
function repetitionLines(
  repetitions: readonly Repetitions[],
  textOf: (summary: Repetitions['test']) => string | undefined,
): string[] {
  if (repetitions.every(({ runs }) => runs === 1)) return [];
  const columns = ['mean of runs', 'runs', 'test %', 'validation %'].map((title, c) => ({
    title,
    align: c === 0 ? ('left' as const) : ('right' as const),
  }));
  const rows = repetitions.map(({ title, runs, test, validation }) => [
    title,
    String(runs),
    textOf(test) ?? '-',
    textOf(validation) ?? '-',
  ]);
  return [...tableLines(columns, rows), ''];
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
