// `pseudolabel label`: writes a saved model's pseudo-labels for a set of images as a label file in MNIST's format.
import { type Command, Option } from 'commander';
import { ImageStore } from '../../src/data/image-store.js';
import { loadDataset } from '../../src/data/load.js';
import { readIdx } from '../../src/data/sources/idx.js';
import { checkedImages } from '../../src/data/sources/idx-folder.js';
import { writeAtomically } from '../../src/files/write.js';
import { counted, percent, whole } from '../../src/format.js';
import { classCounts } from '../../src/reporting/metrics.js';
import type { Labelling } from '../dispatcher.js';
import { tableLines } from '../terminal/table.js';
import type { Context } from './options.js';
import {
  addModelOptions,
  checkPixels,
  classNamesOf,
  dataOf,
  loadClassifier,
  type ModelFlags,
  predict,
  speedLine,
} from './saved-model.js';

interface LabelFlags extends ModelFlags {
  readonly images?: string;
  readonly out: string;
  readonly csv?: string;
}

interface Images {
  readonly name: string;
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
  readonly store: ImageStore;
}

const HELP = `
The images are the training images of the model's run, of MNIST where it is in none, or of --data, or those of --images; labels come in
their order. A label is the class's number in the label file that the model learned from.

Examples:
  $ pseudolabel label runs/paper-dae/model --out labels-idx1-ubyte
  $ pseudolabel label runs/paper-dae/model --images new-images-idx3-ubyte.gz --out new-labels-idx1-ubyte --csv new.csv`;

export function addLabel(program: Command, context: Context): void {
  addModelOptions(program.command('label').description("a saved model's pseudo-labels for images"))
    .addOption(new Option('--images <file>', 'IDX file of images').conflicts('data'))
    .requiredOption('--out <file>', 'IDX file to write the labels to')
    .option('--csv <file>', 'also write row,label,confidence')
    .addHelpText('after', HELP)
    .action((folder: string, flags: LabelFlags) => label(folder, flags, context));
}

async function label(folder: string, flags: LabelFlags, { terminal, signal }: Context): Promise<void> {
  const saved = await loadClassifier(folder, flags.precision);
  const data = flags.images === undefined ? (flags.data ?? (await dataOf(folder, saved))) : undefined;
  const images = flags.images === undefined ? await trainingImages(data) : await imagesOf(flags.images);
  const classNames = classNamesOf(saved);
  checkPixels(saved, images.rows, images.columns, images.name);
  const unlabelled = images.store;
  const { predicted: labelling, speed } = await predict(saved, { unlabelled }, flags, signal, (dispatcher) =>
    dispatcher.label(saved.model),
  );
  await writeAtomically(flags.out, labelFile(labelling.classes, classNames));
  if (flags.csv !== undefined) await writeAtomically(flags.csv, csvPieces(labelling, classNames));

  const { name, count } = images;
  const perClass = classCounts(labelling.classes, classNames.length);
  const meanConfidence = labelling.confidences.reduce((sum, each) => sum + each, 0) / count;
  await terminal.deliver(
    () => [
      `${name}: ${counted(count, 'image')} labelled, mean confidence ${percent(meanConfidence)}`,
      ...classLines(perClass, classNames, count),
      speedLine(speed),
      `labels: ${flags.out}`,
    ],
    {
      ...{ model: folder, images: name, count, perClass, classNames, meanConfidence, ...speed },
      labels: flags.out,
    },
    flags.json,
  );
}

async function trainingImages(folder: string | undefined): Promise<Images> {
  const { name, height, width, train } = await loadDataset({ data: folder });
  return { name, rows: height, columns: width, count: train.count, store: train.images };
}

async function imagesOf(path: string): Promise<Images> {
  const { shape, values } = checkedImages(path, await readIdx(path));
  const [count, rows, columns] = shape as [number, number, number];
  return { name: path, count, rows, columns, store: ImageStore.from(values, rows * columns) };
}

/**
 * An IDX file of one dimension: magic, number of labels, the labels. They are bytes where bytes can hold them and 255
 * does not come to mean 'unknown', else 32-bit integers. Classes whose names are not numbers get their index.
 */
export function labelFile(classes: Uint8Array, classNames: readonly string[]): Uint8Array[] {
  const numbers = classNames.map(Number);
  const areLabels = classNames.every((name, each) => /^\d{1,9}$/.test(name) && String(numbers[each]) === name);
  const labels = areLabels ? numbers : [...numbers.keys()];
  const isBytes = labels.every((label) => label < 255) || labels.length === 256;
  const header = Buffer.from([0, 0, isBytes ? 0x08 : 0x0c, 1, 0, 0, 0, 0]);
  header.writeUInt32BE(classes.length, 4);
  if (isBytes) return [header, classes.map((each) => labels[each]!)];
  const body = Buffer.alloc(4 * classes.length);
  for (const [i, each] of classes.entries()) body.writeInt32BE(labels[each]!, 4 * i);
  return [header, body];
}

function* csvPieces({ classes, confidences }: Labelling, classNames: readonly string[]): Generator<Uint8Array> {
  const linesAtOnce = 10_000;
  yield Buffer.from('row,label,confidence\n');
  for (let first = 0; first < classes.length; first += linesAtOnce) {
    const rows = classes.subarray(first, first + linesAtOnce);
    yield Buffer.from(
      Array.from(
        rows,
        (each, r) => `${first + r},${quoted(classNames[each]!)},${confidences[first + r]!.toFixed(6)}\n`,
      ).join(''),
    );
  }
}

/** A field of CSV. */
const quoted = (name: string): string => (/[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);

function classLines(perClass: readonly number[], classNames: readonly string[], count: number): string[] {
  const columns = ['class', 'images', 'share'].map((title) => ({ title, align: 'right' as const }));
  return tableLines(
    columns,
    perClass.map((images, each) => [classNames[each]!, whole(images), percent(images / count, 1)]),
  );
}
