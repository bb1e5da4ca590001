// `pseudolabel data`: says what was found in a folder or file of images, before anything is trained.
import type { Command } from 'commander';
import type { Dataset } from '../../src/data/dataset.js';
import type { DataOptions } from '../../src/data/options.js';
import { IDX } from '../../src/data/sources/idx-folder.js';
import { sourceFor } from '../../src/data/sources/sources.js';
import { type DataSummary, summaryOf } from '../../src/data/summary.js';
import { writeAtomically } from '../../src/files/write.js';
import { counted, whole } from '../../src/format.js';
import { DEFAULT_LABELS_PER_CLASS } from '../../src/training/config.js';
import { loadData } from '../load-data.js';
import { isBenchmark } from '../runs/resolved-run.js';
import { dataLines } from '../terminal/summary.js';
import { tableLines } from '../terminal/table.js';
import { addReadingOptions, type Context } from './options.js';
import { dataFlags } from './saved-model.js';

interface DataFlags extends DataOptions {
  readonly page?: string;
  readonly sheet?: string;
  readonly json?: string;
}

/** The most classes in the table on the terminal. */
const MOST_LINES = 30;

const HELP = `
Nothing is trained and nothing is written but what is asked for.

Examples:
  $ pseudolabel data
  $ pseudolabel data my-images --labels labels.csv --page data.html
  $ pseudolabel data cifar-10-batches-bin --sheet samples.png --json -`;

export function addData(program: Command, context: Context): void {
  addReadingOptions(
    program
      .command('data')
      .description('what was found in a folder or file of images: counts, classes, problems, samples')
      .argument('[path]', 'folder or file of images (MNIST)'),
  )
    .option('--page <file>', 'write a page with samples of each class')
    .option('--sheet <file>', 'write samples of each class as a PNG')
    .option('--json <file>', 'write the result as JSON; - for stdout')
    .addHelpText('after', HELP)
    .action((path: string | undefined, flags: DataFlags) => data(path, flags, context));
}

async function data(path: string | undefined, flags: DataFlags, context: Context): Promise<void> {
  const source = path === undefined ? IDX : await sourceFor(path, flags.format);
  const options = dataFlags(flags);
  const dataset = await loadData(path === undefined ? options : { ...options, data: path }, context);
  const summary = summaryOf(dataset);
  const problems = [...dataLines(dataset), ...duplicateLines(summary, dataset)];
  const { dataPage, sampleSheet } = await import('../../src/reporting/data-page.js');
  if (flags.page !== undefined) await writeAtomically(flags.page, dataPage(summary, dataset, problems));
  if (flags.sheet !== undefined) await writeAtomically(flags.sheet, sampleSheet(dataset));
  await context.terminal.deliver(
    ({ bold }) => [
      bold(`${summary.name}: ${source.reads} (${source.name})`),
      ...countLines(summary),
      ...classLines(summary),
      ...problems.map((line) => `note: ${line}`),
      useLine(summary, flags.labels === undefined && isBenchmark(dataset.train.labels, dataset.classes)),
      ...(flags.page === undefined ? [] : [`page: ${flags.page}`]),
      ...(flags.sheet === undefined ? [] : [`samples: ${flags.sheet}`]),
    ],
    { ...summary, format: source.name, notes: problems },
    flags.json,
  );
}

function countLines({ train, test, height, width, channels, classes }: DataSummary): string[] {
  const { images, known, unknown } = train;
  const lines = [
    ['training images', `${whole(images)}: ${whole(known)} with a label, ${whole(unknown)} without`],
    ['test images', test ? whole(test.images) : 'none: no accuracy is measured'],
    ['size', `${height} x ${width} pixels, ${channels === 1 ? 'grey' : `${channels} values a pixel (colour)`}`],
    ['classes', whole(classes.length)],
  ] as const;
  return lines.map(([name, value]) => `  ${name.padEnd(16)} ${value}`);
}

function classLines({ classes, test }: DataSummary): string[] {
  if (classes.length === 0) return [];
  const titles = ['class', 'labels', ...(test ? ['test images'] : [])];
  const shown = classes.slice(0, MOST_LINES);
  const lines = tableLines(
    titles.map((title, c) => ({ title, align: c === 0 ? ('left' as const) : ('right' as const) })),
    shown.map((each) => [each.name, whole(each.labels), ...(test ? [whole(each.test ?? 0)] : [])]),
  );
  const more = classes.length - shown.length;
  return more > 0 ? [...lines, `and ${whole(more)} more classes`] : lines;
}

function duplicateLines({ duplicates }: DataSummary, { train }: Dataset): string[] {
  const { train: twice, contradicting, example, test } = duplicates;
  const idOf = (image: number): string => train.ids?.[image] ?? String(image);
  const lines: string[] = [];
  if (twice > 0)
    lines.push(`${counted(twice, 'training image')} ${twice === 1 ? 'occurs' : 'occur'} before, pixel for pixel`);
  if (contradicting > 0)
    lines.push(
      `the labels of ${whole(contradicting)} of these contradict, the first of them that of ${idOf(example![0])}, the same image as ${idOf(example![1])}`,
    );
  if (test > 0)
    lines.push(`${counted(test, 'test image')} are among the training images: accuracy on them says too much`);
  return lines;
}

/** Returns a line that says how `train` uses the labels. */
function useLine({ train, classes }: DataSummary, hides: boolean): string {
  if (train.known === 0)
    return 'nothing can be trained yet: give a few labels of each class (--labels FILE, or a folder for each class)';
  if (classes.length < 2) return 'nothing can be trained yet: all labels are of one class';
  return !hides
    ? `train uses all ${whole(train.known)} labels`
    : `train hides all but ${DEFAULT_LABELS_PER_CLASS} labels of each class, as a benchmark: --labels-per-class says how many, or all`;
}
