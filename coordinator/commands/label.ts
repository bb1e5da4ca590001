// `pseudolabel label`: writes what a saved model makes of images: the class of each, how sure it is, and the runner-up.
import { extname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UNKNOWN } from '../../src/data/dataset.js';
import { ImageStore } from '../../src/data/image-store.js';
import { readIdx } from '../../src/data/sources/idx.js';
import { checkedImages } from '../../src/data/sources/idx-folder.js';
import { PseudolabelError } from '../../src/errors.js';
import { writeAtomically } from '../../src/files/write.js';
import { counted, percent, whole } from '../../src/format.js';
import { formatOf, LABEL_FORMATS, type LabelFormat, labelsIn } from '../../src/labelling/formats.js';
import { agreement, type Labelled, labelledOf, leastSure } from '../../src/labelling/labelled.js';
import type { SavedModel } from '../../src/models/saved-model.js';
import type { Size } from '../../src/reporting/image.js';
import { classCounts } from '../../src/reporting/metrics.js';
import { checkPixels, classified, classNamesOf, loadClassifier, seedsOf } from '../classifier.js';
import type { Classified, Predictor } from '../predictor.js';
import { type SearchProgress, searchText } from '../propagation.js';
import { writeReview } from '../review/review.js';
import { checkEmpty, sortInto } from '../review/sorted-folders.js';
import { tableLines } from '../terminal/table.js';
import { type HeldChoice, heldFor, heldSharesIn } from './held-shares.js';
import { type Context, usage } from './options.js';
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
  readonly classShares?: ReturnType<typeof heldSharesIn>;
}

/** The images that are labelled, with what is known of them. */
interface Images {
  readonly name: string;
  readonly size: Size;
  /** The folder or file that they were read from; undefined: they have no files of their own. */
  readonly path: string | undefined;
  readonly store: ImageStore;
  readonly ids: readonly string[] | undefined;
  readonly labels: Uint16Array;
  readonly classNames: readonly string[];
}

/** Classes in the table of the terminal. */
const MOST_LINES = 20;

/** Thumbnails of a page, which a browser has to hold. */
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
the labels, download labels.csv, and train again with --labels labels.csv.

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
    .action((folder: string, flags: LabelFlags, command: Command) => label(folder, flags, command, context));
}

function reviewed(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= MOST_REVIEWED) return value;
  throw new InvalidArgumentError(`Give a number of images from 1 to ${MOST_REVIEWED}.`);
}

async function label(folder: string, flags: LabelFlags, command: Command, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const review = await reviewPathOf(flags, command);
  const { sortInto: sorted } = flags;
  if (sorted !== undefined) await checkEmpty(sorted);
  const saved = await loadClassifier(folder);
  const images =
    flags.images === undefined ? await imagesOfData(folder, saved, flags, context) : await fileOf(flags.images, saved);
  terminal.doing('labelling images');
  const classNames = classNamesOf(saved);
  const spread = flags.propagate && propagation(images, classNames, flags.classShares, terminal);
  const { predicted, speed } = await classified(saved, images.store, flags.workers, signal, spread?.work);
  const { name, ids, labels } = images;
  const { count } = images.store;
  const labelled = labelledOf({ count, ids, labels }, images.classNames, { ...predicted, classNames });
  terminal.doing('writing labels');
  const format = flags.outFormat ?? formatOf(flags.out);
  await writeAtomically(flags.out, await labelsIn(format, labelled));
  const shown = leastSure(labelled, flags.review ?? 0);
  const seen = { name, labelled, size: images.size, pixels: (image: number) => images.store.at(image) };
  if (review !== undefined) await writeReview(review, { ...seen, images: shown });
  const kind = sorted === undefined ? undefined : await sortInto(sorted, seen, images.path);

  const perClass = classCounts(labelled.classes, classNames.length);
  const meanConfidence = labelled.confidences.reduce((sum, each) => sum + each, 0) / count;
  const agreed = agreement(labelled);
  await terminal.deliver(
    () => [
      `${name}: ${counted(count, 'image')} labelled, mean confidence ${percent(meanConfidence)}`,
      ...classLines(perClass, labelled),
      ...(spread ? [spread.held.text] : []),
      ...agreementLines(agreed),
      speedLine(speed),
      `labels: ${flags.out}`,
      ...(review === undefined ? [] : [`page to review ${counted(shown.length, 'image')}: ${review}`]),
      ...(sorted === undefined ? [] : [`${kind} in a folder for each class: ${sorted}`]),
    ],
    {
      ...{ model: folder, images: name, count, perClass, classNames, meanConfidence, ...speed },
      ...(spread && { classShares: spread.held.choice ?? null }),
      ...{ known: agreed.known, agreeing: agreed.agree, labels: flags.out, format, review, sorted },
    },
    flags.json,
  );
}

/** How the known labels spread over the images, and the shares that are assumed. Throws E_DATA_CLASSES, E_MODEL, E_USAGE. */
function propagation(
  { labels, size, classNames: names, store }: Images,
  classNames: readonly string[],
  shares: LabelFlags['classShares'],
  terminal: Context['terminal'],
): { readonly held: HeldChoice; work(predictor: Predictor): Promise<Classified> } {
  const seeds = seedsOf(labels, names, classNames);
  if (seeds.positions.length === store.count)
    throw usage('--propagate has no effect where all labels are known', 'give data with a few: --labels FILE');
  const { rows: height, columns: width, channels = 1 } = size;
  const held = heldFor(shares, seeds, classNames);
  const told = (progress: SearchProgress) => terminal.note(searchText(progress));
  const work = (predictor: Predictor) => predictor.propagate(seeds, { height, width, channels }, held.shares, told);
  return { held, work };
}

/** Where the page goes; undefined: none is asked for. Throws E_USAGE where it would replace something. */
async function reviewPathOf({ review, reviewPage, out }: LabelFlags, command: Command): Promise<string | undefined> {
  if (review === undefined || reviewPage !== undefined) return reviewPage;
  const path = `${out.slice(0, out.length - extname(out).length)}-review.html`;
  const { outputs, ...others } = pathsOf(command);
  await checkPaths({ ...others, outputs: [...outputs, { name: '--review', path }] });
  return path;
}

async function imagesOfData(folder: string, saved: SavedModel, flags: LabelFlags, context: Context): Promise<Images> {
  const { name, classNames, height, width, channels, train, test } = await datasetFor(folder, saved, flags, context);
  if (flags.test && !test) {
    const fix = 'leave out --test, or give data that has some: a folder test/ beside train/, say';
    throw new PseudolabelError('E_DATA_MISSING', `${name} has no test images`, fix);
  }
  const { images, ids, labels } = (flags.test ? test : undefined) ?? train;
  const size = { rows: height, columns: width, channels };
  const { data: path } = await dataOf(folder, saved, flags);
  return { name, size, path, classNames, store: images, ids, labels };
}

async function fileOf(path: string, saved: SavedModel): Promise<Images> {
  const { shape, values } = checkedImages(path, await readIdx(path));
  const [count, height, width, channels = 1] = shape as [number, number, number, number | undefined];
  checkPixels(saved, { name: path, height, width, channels });
  const labels = new Uint16Array(count).fill(UNKNOWN);
  const store = ImageStore.from(values, height * width * channels);
  const size = { rows: height, columns: width, channels };
  return { name: path, size, path: undefined, store, ids: undefined, labels, classNames: [] };
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

/** Known labels are mostly those that the model learned from: they do not measure it. */
const agreementLines = ({ known, agree }: ReturnType<typeof agreement>): string[] =>
  known === 0 ? [] : [`${whole(agree)} of the ${whole(known)} known labels are the model's class as well`];
