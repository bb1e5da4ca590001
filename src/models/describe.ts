// Describes a range of images as rows of a graph: by pixels, by histograms of gradients, or by what a network's last
// layer reads.
import type { Images } from '../data/images.js';
import { HOG_VALUES, Hog } from '../graph/hog.js';
import { Projection } from '../graph/principal-components.js';
import type { Descriptor } from '../graph/settings.js';
import type { Engine } from './engine.js';
import { paddedRows } from './kind.js';
import { featureWidths, outputsOf } from './models.js';
import { PREDICT_ROWS } from './predict.js';
import type { DescribeResult, DescribeTask, Description } from './tasks.js';

/** Returns the number of values of each part of a descriptor. Each part has principal components of its own. */
export function widthsOf({
  descriptor,
  size,
  model,
}: Pick<Description, 'descriptor' | 'size' | 'model'>): readonly number[] {
  switch (descriptor.kind) {
    case 'pixels':
      return [size.height * size.width * size.channels];
    case 'hog':
      return [HOG_VALUES];
    case 'features':
      return featureWidths(model!);
  }
}

/** Returns the positions in [start, end) that are multiples of `every`. */
export function positionsOf({ every, start, end }: Pick<DescribeTask, 'every' | 'start' | 'end'>): Uint32Array {
  const first = Math.ceil(start / every) * every;
  return Uint32Array.from({ length: Math.max(0, Math.ceil((end - first) / every)) }, (_, i) => first + i * every);
}

export function describe(engine: Engine, task: DescribeTask): DescribeResult {
  const began = performance.now();
  const { projection, withProbabilities, model } = task;
  const images = engine.arena.images[task.set];
  const positions = positionsOf(task);
  const widths = widthsOf(task);
  const width = widths.reduce((sum, each) => sum + each, 0);
  const projections = projection?.bases.map((basis) => new Projection(basis)) ?? [];
  const columns = projection ? projections.reduce((sum, { components }) => sum + components, 0) : width;
  const values = new Float32Array(positions.length * columns);
  const probabilities = new Float32Array(withProbabilities ? positions.length * outputsOf(model!) : 0);
  for (let first = 0; first < positions.length; first += PREDICT_ROWS) {
    const batch = positions.subarray(first, first + PREDICT_ROWS);
    const described = model ? features(engine, task, images, batch) : plain(task, images, batch);
    if (projection) reduced(described.values, projections, projection.length, values, first * columns);
    else values.set(described.values, first * columns);
    if (described.probabilities) probabilities.set(described.probabilities, first * outputsOf(model!));
  }
  const result = { values, milliseconds: performance.now() - began };
  return withProbabilities ? { ...result, probabilities } : result;
}

interface Described {
  /** [images, width] */
  readonly values: Float32Array;
  readonly probabilities?: Float32Array;
}

/** Describes images without a network. */
function plain({ descriptor, size }: Description, images: Images, positions: Uint32Array): Described {
  if (descriptor.kind === 'pixels') {
    const values = new Float32Array(positions.length * images.pixels);
    for (const [i, position] of positions.entries()) {
      const image = images.at(position);
      for (let p = 0; p < image.length; p++) values[i * image.length + p] = image[p]! / 255;
    }
    return { values };
  }
  const hog = new Hog(size, isDeskewed(descriptor, size.channels));
  const values = new Float32Array(positions.length * HOG_VALUES);
  for (const [i, position] of positions.entries())
    hog.describe(images.at(position), values.subarray(i * HOG_VALUES, (i + 1) * HOG_VALUES));
  return { values };
}

/**
 * Returns whether images are deskewed. By default only grey ones are, because handwriting is slanted and photographs
 * are not.
 */
const isDeskewed = ({ deskew }: Descriptor, channels: number): boolean => deskew ?? channels === 1;

function features(
  engine: Engine,
  { model, workspace, withProbabilities }: DescribeTask,
  images: Images,
  positions: Uint32Array,
): Described {
  const count = positions.length;
  const network = engine.network(model!, paddedRows(count), workspace, false);
  network.load(images, positions, 0);
  const values = network.features(count);
  if (!withProbabilities) return { values };
  const byClass = network.classify(count).probabilities(1);
  const classes = outputsOf(model!);
  const probabilities = new Float32Array(count * classes);
  for (let c = 0; c < classes; c++)
    for (let i = 0; i < count; i++) probabilities[i * classes + c] = byClass[c * count + i]!;
  return { values, probabilities };
}

/** Writes the principal components of the rows to `to`, from element `at` on. */
function reduced(
  values: Float32Array,
  projections: readonly Projection[],
  length: number,
  to: Float32Array,
  at: number,
): void {
  let place = at;
  for (let from = 0; from < values.length; )
    for (const projection of projections) {
      projection.project(values, from, length, to, place);
      from += projection.width;
      place += projection.components;
    }
}
