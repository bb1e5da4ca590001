// Owns `pseudolabel label`: a saved model's pseudo-labels for a set of images, as a label file in MNIST's format.
import { type Command, Option } from 'commander';
import { loadDataset } from '../../src/data/dataset.js';
import { readIdx } from '../../src/data/idx.js';
import { PseudolabelError } from '../../src/errors.js';
import { writeAtomically } from '../../src/files.js';
import { counted, percent, whole } from '../../src/format.js';
import { classCounts } from '../../src/metrics.js';
import type { Labelling } from '../cluster.js';
import { tableLines } from '../terminal/table.js';
import { addModelOptions, checkPixels, loadClassifier, type ModelFlags, withPredictor } from './model.js';
import type { Context } from './options.js';

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
  readonly bytes: Uint8Array;
}

const HELP = `
The labels are those of the training images of MNIST or of --data, or of the images of --images, in their order.

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
  const images = flags.images === undefined ? await trainingImages(flags.data) : await imagesOf(flags.images);
  checkPixels(saved, images.rows, images.columns, images.name);
  const unlabelled = images.bytes;
  const { labelling, seconds, workers } = await withPredictor(saved, { unlabelled }, flags, signal, async (cluster) => {
    const began = performance.now();
    const labels = await cluster.label(saved.model);
    return { labelling: labels, seconds: (performance.now() - began) / 1000, workers: cluster.workers };
  });
  await writeAtomically(flags.out, labelFile(labelling.classes));
  if (flags.csv !== undefined) await writeAtomically(flags.csv, csvPieces(labelling));

  const { name, count } = images;
  const perClass = classCounts(labelling.classes, saved.model.layers.at(-1)!.units);
  const meanConfidence = labelling.confidences.reduce((sum, each) => sum + each, 0) / count;
  const imagesPerSecond = count / seconds;
  await terminal.deliver(
    () => [
      `${name}: ${counted(count, 'image')} labelled, mean confidence ${percent(meanConfidence)}`,
      ...classLines(perClass, count),
      `${whole(imagesPerSecond)} images/s with ${counted(workers, 'worker')}`,
      `labels: ${flags.out}`,
    ],
    { model: folder, images: name, count, perClass, meanConfidence, imagesPerSecond, workers, labels: flags.out },
    flags.json,
  );
}

async function trainingImages(folder: string | undefined): Promise<Images> {
  const { name, rows, columns, train } = await loadDataset({ folder });
  return { name, rows, columns, count: train.count, bytes: train.images };
}

async function imagesOf(path: string): Promise<Images> {
  const { shape, values } = await readIdx(path);
  const [count, rows, columns] = shape;
  if (shape.length === 3) return { name: path, count: count!, rows: rows!, columns: columns!, bytes: values };
  const message = `${path} has ${shape.length} dimensions (${shape.join(' x ')}) where images, rows and columns are needed`;
  throw new PseudolabelError('E_DATA_SHAPE', message, 'give an IDX file of images');
}

/** An IDX file of one dimension: magic, number of labels, one byte each. */
function labelFile(classes: Uint8Array): Uint8Array[] {
  const header = Buffer.from([0, 0, 0x08, 1, 0, 0, 0, 0]);
  header.writeUInt32BE(classes.length, 4);
  return [header, classes];
}

function* csvPieces({ classes, confidences }: Labelling): Generator<Uint8Array> {
  const linesAtOnce = 10_000;
  yield Buffer.from('row,label,confidence\n');
  for (let first = 0; first < classes.length; first += linesAtOnce) {
    const rows = classes.subarray(first, first + linesAtOnce);
    yield Buffer.from(
      Array.from(rows, (each, r) => `${first + r},${each},${confidences[first + r]!.toFixed(6)}\n`).join(''),
    );
  }
}

function classLines(perClass: readonly number[], count: number): string[] {
  const columns = ['class', 'images', 'share'].map((title) => ({ title, align: 'right' as const }));
  return tableLines(
    columns,
    perClass.map((images, each) => [String(each), whole(images), percent(images / count, 1)]),
  );
}
