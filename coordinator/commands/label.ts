// `pseudolabel label`: writes a saved model's prediction for images: the class of each, its confidence, and the second
// likeliest class.
import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type DatasetParts, UNKNOWN } from '../../src/data/dataset.js';
import { ImageStore } from '../../src/data/image-store.js';
import { readIdx } from '../../src/data/sources/idx.js';
import { checkedImages } from '../../src/data/sources/idx-folder.js';
import { PseudolabelError } from '../../src/errors.js';
import { fill, READING } from '../../src/files/read.js';
import { writeAtomically } from '../../src/files/write.js';
import { counted, percent, whole } from '../../src/format.js';
import { COLUMNS } from '../../src/labelling/csv-file.js';
import { formatOf, LABEL_FORMATS, type LabelFormat, labelsIn } from '../../src/labelling/formats.js';
import { agreement, type Labelled, leastSure, shareGaps } from '../../src/labelling/labelled.js';
import { classCounts } from '../../src/reporting/metrics.js';
import { REVIEW_MARK } from '../../src/reporting/review-page.js';
import { loadClassifier } from '../classifier.js';
import type { HeldRule } from '../library/held-shares.js';
import { label, setOf } from '../library/label.js';
import { type SearchProgress, searchText } from '../propagation.js';
import { writeReview } from '../review/review.js';
import { checkEmpty, sortInto } from '../review/sorted-folders.js';
import { tableLines } from '../terminal/table.js';
import { heldLine, heldSharesIn } from './held-shares.js';
import type { Context } from './options.js';
import { checkPaths, pathsOf } from './output-paths.js';
import { addModelOptions, dataOf, datasetFor, type ModelFlags, speedLine } from './saved-model.js';

interface LabelFlags extends ModelFlags {
  readonly images?: string;
  readonly test?: boolean;
  readonly out: string;
  readonly outFormat?: LabelFormat;
  readonly review?: number;
  readonly reviewPage?: string;
  readonly sortInto?: string;
  readonly propagate?: true;
  readonly classShares?: HeldRule;
}

/** The bytes at the start of a file that show whether it is one of this program's. */
const START_BYTES = 2 ** 12;

/** The most classes in the table on the terminal. */
const MOST_LINES = 20;

/** The most images of a page. A browser has to hold all of them. */
const MOST_REVIEWED = 5000;

const HELP = `
The images are the training images of the model's run, of MNIST where it is in none, or of --data (with its options, as in train), or those
of --images; with --test its test images; all of them are labelled, in their order, also those whose label is known.

The columns of labels.csv are file (or index), label (the model's class), confidence, runner_up, runner_up_confidence, and known: the
label that the data has of the image, empty where it has none. An IDX file has the labels alone: the numbers of the label file that the model
learned from, or positions in its list of classes.

--propagate asks the images as well: labels that are known spread from image to image over a graph of those that look alike, to the model and
by their strokes, and are mixed with what the model says. Where a few labels of each class are known this corrects the model; those images keep
their own labels. It takes every image into memory at once, 1,048,576 at most, and says how long it takes. The classes are held to shares, those among the
model's own predictions: an assumption, which --class-shares makes another: labelled (of the known labels), equal, off, or a share of each class,
as 0.6,0.3,0.1.

--review N writes a page of the N images that the model is least sure of (without those whose label is known). Open it in a browser, correct
the labels, download corrected.csv, and train again with --labels corrected.csv.

--sort-into DIR makes a folder for each class, with relative links to the images (PNGs of those that are in no files of their own): under the
label that the data has, else under the model's class. An .npz and a Parquet file have the columns of labels.csv.

Examples:
  $ pseudolabel label runs/mine --out labels.csv
  $ pseudolabel label runs/mine --data new-photos --out labels.csv --sort-into sorted
  $ pseudolabel label runs/mine --out labels.csv --review 200
  $ pseudolabel label runs/mine --data new-photos --out labels.csv
  $ pseudolabel label runs/paper-dae/model --images new-images-idx3-ubyte.gz --out new-labels-idx1-ubyte`;

export function addLabel(program: Command, context: Context): void {
  addModelOptions(program.command('label').description('a label and a confidence for every image, by a saved model'))
    .addOption(new Option('--images <file>', 'IDX file of images').conflicts('data'))
    .option('--test', 'label the test images in place of the training images')
    .requiredOption('--out <file>', 'file to write the labels to: .csv, .tsv, .npz, .parquet, else IDX')
    .addOption(new Option('--out-format <name>', 'its format (by the end of its name)').choices(LABEL_FORMATS))
    .option('--propagate', 'spread the known labels over all images, by a graph of those that look alike')
    .option(
      '--class-shares <shares>',
      'what propagated labels are held to: labelled, equal, off, or a share of each class (predicted)',
      heldSharesIn,
    )
    .option('--review <n>', 'write a page to correct the labels of the n least sure images', reviewed)
    .option('--review-page <file>', 'that page (the name of --out with -review.html)')
    .option('--sort-into <dir>', 'make a folder for each class there, with links to the images')
    .addHelpText('after', HELP)
    .action((folder: string, flags: LabelFlags, command: Command) => labelImages(folder, flags, command, context));
}

function reviewed(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= MOST_REVIEWED) return value;
  throw new InvalidArgumentError(`Give a number of images from 1 to ${MOST_REVIEWED}.`);
}

async function labelImages(folder: string, flags: LabelFlags, command: Command, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const review = await reviewPathOf(flags, command);
  const format = flags.outFormat ?? formatOf(flags.out);
  if (format === 'csv' || format === 'tsv') await checkOurs(flags.out, COLUMNS.join(format === 'csv' ? ',' : '\t'));
  if (review !== undefined) await checkOurs(review, REVIEW_MARK);
  const { sortInto: sorted } = flags;
  if (sorted !== undefined) await checkEmpty(sorted);
  const saved = await loadClassifier(folder);
  const dataset =
    flags.images === undefined ? await datasetFor(folder, saved, flags, context) : await fileOf(flags.images);
  terminal.doing('labelling images');
  const { workers, test, propagate, classShares } = flags;
  const searching = (progress: SearchProgress) => terminal.note(searchText(progress));
  const labelled = await label({ saved }, dataset, { workers, signal, test, propagate, classShares, searching });
  terminal.doing('writing labels');
  await writeAtomically(flags.out, await labelsIn(format, labelled));
  const shown = leastSure(labelled, flags.review ?? 0);
  const { name, height: rows, width: columns, channels } = dataset;
  const { images } = setOf(dataset, test ?? false);
  const seen = { name, labelled, size: { rows, columns, channels }, pixels: (image: number) => images.at(image) };
  if (review !== undefined) await writeReview(review, { ...seen, images: shown });
  // The images of an IDX file are not files of their own.
  const { data: path } = flags.images === undefined ? await dataOf(folder, saved, flags) : {};
  const kind = sorted === undefined ? undefined : await sortInto(sorted, seen, path);

  const { count, classNames } = labelled;
  const speed = { imagesPerSecond: labelled.imagesPerSecond, workers: labelled.workers };
  const perClass = classCounts(labelled.classes, classNames.length);
  const meanConfidence = labelled.confidences.reduce((sum, each) => sum + each, 0) / count;
  const agreed = agreement(labelled);
  await terminal.deliver(
    () => [
      `${name}: ${counted(count, 'image')} labelled, mean confidence ${percent(meanConfidence)} (how sure the model is, not how many are right)`,
      ...classLines(perClass, labelled),
      ...(propagate ? [heldLine(labelled.classShares, classNames)] : []),
      ...agreementLines(agreed),
      ...shareLines(labelled, flags.review !== undefined),
      speedLine(speed),
      `labels: ${flags.out}`,
      ...(review === undefined ? [] : [`page to review ${counted(shown.length, 'image')}: ${review}`]),
      ...(sorted === undefined ? [] : [`${kind} in a folder for each class: ${sorted}`]),
    ],
    {
      model: folder,
      images: name,
      count,
      perClass,
      classNames,
      meanConfidence,
      ...speed,
      ...(propagate && { classShares: labelled.classShares ?? null }),
      known: agreed.known,
      agreeing: agreed.agree,
      labels: flags.out,
      format,
      review,
      sorted,
    },
    flags.json,
  );
}

/**
 * Throws E_USAGE for a file that does not have this program's mark at its start. A user's own file of labels often has
 * the name that is wanted for the model's.
 */
async function checkOurs(path: string, mark: string): Promise<void> {
  const handle = await open(path, READING).catch(() => undefined);
  if (!handle) return; // It does not exist, or the code that writes it will report the problem.
  try {
    const start = new Uint8Array(START_BYTES);
    const text = Buffer.from(start.subarray(0, await fill(handle, 0, start))).toString();
    if (text === '' || text.includes(mark) || !(await handle.stat()).isFile()) return;
  } finally {
    await handle.close();
  }
  const message = `${path} was not written by \`label\`, and would be replaced`;
  throw new PseudolabelError('E_USAGE', message, 'give another path, or move it away');
}

/** Returns the path of the page, or undefined if none is asked for. Throws E_USAGE if it would replace something. */
async function reviewPathOf({ review, reviewPage, out }: LabelFlags, command: Command): Promise<string | undefined> {
  if (review === undefined || reviewPage !== undefined) return reviewPage;
  const path = `${out.slice(0, out.length - extname(out).length)}-review.html`;
  const { outputs, ...others } = pathsOf(command);
  await checkPaths({ ...others, outputs: [...outputs, { name: '--review', path }] });
  return path;
}

/** Returns the images of an IDX file, without any labels. */
async function fileOf(path: string): Promise<DatasetParts> {
  const { shape, values } = checkedImages(path, await readIdx(path));
  const [count, height, width, channels = 1] = shape as [number, number, number, number | undefined];
  const labels = new Uint16Array(count).fill(UNKNOWN);
  const train = { count, images: ImageStore.from(values, height * width * channels), labels };
  return { name: path, height, width, channels, classNames: [], train, test: undefined };
}

function classLines(perClass: readonly number[], { classNames, count }: Labelled): string[] {
  const columns = ['class', 'images', 'share'].map((title) => ({ title, align: 'right' as const }));
  const order = [...perClass.keys()];
  const shown = perClass.length > MOST_LINES ? order.sort((a, b) => perClass[b]! - perClass[a]! || a - b) : order;
  const lines = tableLines(
    columns,
    shown
      .slice(0, MOST_LINES)
      .map((each) => [classNames[each]!, whole(perClass[each]!), percent(perClass[each]! / count, 1)]),
  );
  const more = perClass.length - MOST_LINES;
  return more > 0 ? [...lines, `and ${whole(more)} more`] : lines;
}

/** Returns a line about agreement. Known labels do not measure the model, because it learned from most of them. */
const agreementLines = ({ known, agree }: ReturnType<typeof agreement>): string[] =>
  known === 0 ? [] : [`${whole(agree)} of the ${whole(known)} known labels are the model's class as well`];

/** Returns a line if the model's shares of the classes are far from those of the known labels. */
function shareLines(labelled: Labelled, isReviewed: boolean): string[] {
  const gaps = shareGaps(labelled);
  if (gaps.length === 0) return [];
  const parts = gaps.map((gap) => `${gap.className} ${percent(gap.share, 1)}, there ${percent(gap.knownShare, 1)}`);
  const fix = isReviewed ? 'correct some on the page' : 'correct some (--review 200)';
  return [
    `note: these shares are far from those of the known labels (${parts.join('; ')}): unless your images have such shares, many labels are wrong: ${fix} and train again`,
  ];
}
