// `pseudolabel label`: writes what a saved model makes of images: the class of each, how sure it is, and the runner-up.
import { type Command, Option } from 'commander';
import { UNKNOWN } from '../../src/data/dataset.js';
import { ImageStore } from '../../src/data/image-store.js';
import { readIdx } from '../../src/data/sources/idx.js';
import { checkedImages } from '../../src/data/sources/idx-folder.js';
import { writeAtomically } from '../../src/files/write.js';
import { counted, percent, whole } from '../../src/format.js';
import { formatOf, LABEL_FORMATS, type LabelFormat, labelsIn } from '../../src/labelling/formats.js';
import { agreement, type Labelled, labelledOf } from '../../src/labelling/labelled.js';
import type { SavedModel } from '../../src/models/saved-model.js';
import { classCounts } from '../../src/reporting/metrics.js';
import { tableLines } from '../terminal/table.js';
import type { Context } from './options.js';
import {
  addModelOptions,
  checkPixels,
  classified,
  classNamesOf,
  datasetFor,
  loadClassifier,
  type ModelFlags,
  speedLine,
} from './saved-model.js';

interface LabelFlags extends ModelFlags {
  readonly images?: string;
  readonly out: string;
  readonly outFormat?: LabelFormat;
}

/** The images that are labelled, with what is known of them. */
interface Images {
  readonly name: string;
  readonly store: ImageStore;
  readonly ids: readonly string[] | undefined;
  readonly labels: Uint16Array;
  readonly classNames: readonly string[];
}

/** Classes in the table of the terminal. */
const MOST_LINES = 20;

const HELP = `
The images are the training images of the model's run, of MNIST where it is in none, or of --data (with its options, as in train), or those
of --images; all of them are labelled, in their order, also those whose label is known.

The columns of labels.csv are file (or index), label (the model's class), confidence, runner_up, runner_up_confidence, and known: the
label that the data has of the image, empty where it has none. An IDX file has the labels alone: the numbers of the label file that the model
learned from, or positions in its list of classes.

Examples:
  $ pseudolabel label runs/mine --out labels.csv
  $ pseudolabel label runs/mine --data new-photos --out labels.csv
  $ pseudolabel label runs/paper-dae/model --images new-images-idx3-ubyte.gz --out new-labels-idx1-ubyte`;

export function addLabel(program: Command, context: Context): void {
  addModelOptions(program.command('label').description('a label and a confidence for every image, by a saved model'))
    .addOption(new Option('--images <file>', 'IDX file of images').conflicts('data'))
    .requiredOption('--out <file>', 'file to write the labels to: .csv, .tsv, else IDX')
    .addOption(new Option('--out-format <name>', 'its format (by the end of its name)').choices(LABEL_FORMATS))
    .addHelpText('after', HELP)
    .action((folder: string, flags: LabelFlags) => label(folder, flags, context));
}

async function label(folder: string, flags: LabelFlags, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const saved = await loadClassifier(folder, flags.precision);
  const images =
    flags.images === undefined
      ? await trainingImages(folder, saved, flags, context)
      : await fileOf(flags.images, saved);
  const { predicted, speed } = await classified(saved, images.store, flags, signal);
  const { name, ids, labels } = images;
  const { count } = images.store;
  const classNames = classNamesOf(saved);
  const labelled = labelledOf({ count, ids, labels }, images.classNames, { ...predicted, classNames });
  const format = flags.outFormat ?? formatOf(flags.out);
  await writeAtomically(flags.out, await labelsIn(format, labelled));

  const perClass = classCounts(labelled.classes, classNames.length);
  const meanConfidence = labelled.confidences.reduce((sum, each) => sum + each, 0) / count;
  const agreed = agreement(labelled);
  await terminal.deliver(
    () => [
      `${name}: ${counted(count, 'image')} labelled, mean confidence ${percent(meanConfidence)}`,
      ...classLines(perClass, labelled),
      ...agreementLines(agreed),
      speedLine(speed),
      `labels: ${flags.out}`,
    ],
    {
      ...{ model: folder, images: name, count, perClass, classNames, meanConfidence, ...speed },
      ...{ known: agreed.known, agreeing: agreed.agree, labels: flags.out, format },
    },
    flags.json,
  );
}

async function trainingImages(folder: string, saved: SavedModel, flags: ModelFlags, context: Context): Promise<Images> {
  const { name, classNames, train } = await datasetFor(folder, saved, flags, context);
  return { name, classNames, store: train.images, ids: train.ids, labels: train.labels };
}

async function fileOf(path: string, saved: SavedModel): Promise<Images> {
  const { shape, values } = checkedImages(path, await readIdx(path));
  const [count, height, width] = shape as [number, number, number];
  checkPixels(saved, { name: path, height, width, channels: 1 });
  const labels = new Uint16Array(count).fill(UNKNOWN);
  return { name: path, store: ImageStore.from(values, height * width), ids: undefined, labels, classNames: [] };
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
