// Spreads labels over a graph of all images. Workers describe the images and find the neighbours of each. The labels
// stay at the coordinator, which spreads them here.
import { setImmediate } from 'node:timers/promises';
import type { ImageSize } from '../src/data/augmentation.js';
import { shardRange } from '../src/data/shards.js';
import { duration, percent, whole } from '../src/format.js';
import { balanced, distributions, mixed, predictedShares, type SureLabels, sureLabels } from '../src/graph/balance.js';
import { blocksOf, type Neighbours } from '../src/graph/neighbours.js';
import { type Basis, principalComponents } from '../src/graph/principal-components.js';
import { Rows } from '../src/graph/rows.js';
import type { Descriptor, GraphSettings } from '../src/graph/settings.js';
import { type Graph, graphOf, spreadLabels } from '../src/graph/spread.js';
import type { Propagation } from '../src/methods/method.js';
import { widthsOf } from '../src/models/describe.js';
import { checkGraph } from '../src/models/graph-limits.js';
import type { Model } from '../src/models/model.js';
import { outputsOf } from '../src/models/models.js';
import { PREDICT_ROWS } from '../src/models/predict.js';
import type { DescribeResult, Description } from '../src/models/tasks.js';
import type { Executor, Ranges } from '../src/training/executor.js';

/** The images whose labels are known. */
export interface Seeds {
  /** Positions among the images of the graph. */
  readonly positions: Uint32Array;
  readonly labels: Uint16Array;
}

export interface GraphImages {
  readonly set: Description['set'];
  readonly count: number;
  readonly size: ImageSize;
}

const IMAGES_A_RANGE = 2 * PREDICT_ROWS;
/** The most images that principal components are computed from. They are spread evenly over all images. */
const SAMPLE = 6000;
/**
 * The least number of tasks that neighbours are searched by, unless there are fewer blocks. So many tasks keep the wait
 * for the last one short.
 */
const PARTS = 64;
/**
 * The most blocks of a task if there are many images. Such a task takes seconds at most, and a node on another machine
 * gets several at once.
 */
const MOST_BLOCKS = 4;
/**
 * Among so many images the search takes minutes. It is then done in turns, and after each turn the listener hears how
 * long it will take.
 */
const MANY_IMAGES = 2 ** 17;
const TURNS = 20;

/** Lets Node serve sockets and timers between two parts of a long computation. */
const pause = (): Promise<void> => setImmediate();

/** The progress of a long search for neighbours. */
export interface SearchProgress {
  readonly images: number;
  /** The part that is done, from 0 to 1. */
  readonly done: number;
  readonly secondsLeft: number;
}

/** Returns a line that tells how far a search for neighbours is, and how long it will take. */
export const searchText = ({ images, done, secondsLeft }: SearchProgress): string =>
  `finding neighbours among ${whole(images)} images: ${percent(done, 0)}, about ${duration(secondsLeft)} left`;

/** Is told of long searches. If it throws, the search ends. */
export type SearchListener = (progress: SearchProgress) => void | Promise<void>;

export class Propagator {
  /** Descriptions of the images by descriptors that need no network. They do not change during a run. */
  private readonly described = new Map<string, Float32Array>();

  /** The ranges of images; one task describes each. They depend neither on the workers nor on the shards of the run. */
  private readonly ranges: Ranges;

  /** manyImages: from this number of images on, a search for neighbours reports its progress. */
  constructor(
    private readonly executor: Executor,
    private readonly images: GraphImages,
    private readonly manyImages = MANY_IMAGES,
  ) {
    const { count } = images;
    const parts = Math.ceil(count / IMAGES_A_RANGE);
    this.ranges = Array.from({ length: parts }, (_, part) => [
      part * IMAGES_A_RANGE,
      Math.min(count, (part + 1) * IMAGES_A_RANGE),
    ]);
  }

  /** Labels all images. The seeds keep their own labels. Throws E_CONFIG if there are too many images. */
  async labels(model: Model, settings: Propagation, seeds: Seeds, told?: SearchListener): Promise<SureLabels> {
    return sureLabels(await this.distributions(model, settings, seeds, told), outputsOf(model));
  }

  /**
   * Returns the distribution over the classes of each image, [images, classes]. A seed's own class has probability 1.
   * Throws E_CONFIG if there are too many images.
   */
  async distributions(
    model: Model,
    settings: Propagation,
    seeds: Seeds,
    told: SearchListener = () => undefined,
  ): Promise<Float64Array> {
    const { count, size } = this.images;
    const classes = outputsOf(model);
    checkGraph(settings, { count, classes, size, model });
    const { rows, probabilities } = await this.rowsOf(model, settings);
    const k = Math.min(settings.neighbours, count - 1);
    const graph = graphOf(await this.neighbours(rows, k, told), count);
    const shares = sharesFor(settings, probabilities, classes);
    let q = await spread(graph, seeds, classes, { ...settings, shares });
    if (settings.mix !== undefined && probabilities) {
      q = mixed(probabilities, q, classes, settings.mix);
      if (settings.smooth)
        q = balanced(distributions(await spreadLabels(graph, q, settings.smooth, pause), classes), classes, shares);
    }
    for (const [i, position] of seeds.positions.entries()) {
      q.fill(0, position * classes, (position + 1) * classes);
      q[position * classes + seeds.labels[i]!] = 1;
    }
    return q;
  }

  /** Computes the descriptions of all images, and the network's probabilities if they are mixed in. */
  private async rowsOf(
    model: Model,
    { descriptors, mix }: GraphSettings,
  ): Promise<{ readonly rows: Rows; readonly probabilities: Float32Array | undefined }> {
    const { count } = this.images;
    let probabilities: Float32Array | undefined;
    const parts: Float32Array[] = [];
    for (const descriptor of descriptors) {
      const wants = mix !== undefined && descriptor.kind === 'features' && !probabilities;
      const part = await this.describe(model, descriptor, wants);
      parts.push(part.values);
      probabilities ??= part.probabilities;
    }
    const columns = parts.reduce((sum, part) => sum + part.length / count, 0);
    const rows = Rows.allocate({ count, columns, workspaces: this.executor.workers });
    let at = 0;
    for (const part of parts) {
      rows.writeColumns(at, part);
      at += part.length / count;
    }
    return { rows, probabilities };
  }

  /** Computes one descriptor of all images, as principal components: [images, components]. */
  private async describe(
    model: Model,
    descriptor: Descriptor,
    withProbabilities: boolean,
  ): Promise<{ readonly values: Float32Array; readonly probabilities?: Float32Array }> {
    const key = JSON.stringify(descriptor);
    const known = this.described.get(key);
    if (known) return { values: known };
    const isOfModel = descriptor.kind === 'features';
    const { count, size, set } = this.images;
    const description = { set, size, descriptor, every: 1, withProbabilities: false, ...(isOfModel && { model }) };
    const bases = await this.basesOf(description);
    const weight = descriptor.weight ?? 1;
    const results = await this.executor.describe(
      { ...description, withProbabilities, projection: { bases, length: weight } },
      this.ranges,
    );
    const values = joined(results.map((result) => result.values));
    if (!isOfModel) this.described.set(key, values);
    const probabilities = results.map((result) => result.probabilities ?? new Float32Array());
    if (values.length % count !== 0) throw new RangeError('descriptions of other images than were asked for');
    return withProbabilities ? { values, probabilities: joined(probabilities) } : { values };
  }

  /** Computes the principal components of each part of a descriptor, from a sample of the images. */
  private async basesOf(description: Description): Promise<Basis[]> {
    const widths = widthsOf(description);
    const every = Math.ceil(this.images.count / SAMPLE);
    const results = await this.executor.describe({ ...description, every }, this.ranges);
    const sample = joined(results.map(({ values }: DescribeResult) => values));
    const { components } = description.descriptor;
    const bases: Basis[] = [];
    let first = 0;
    for (const width of widths) {
      bases.push(await principalComponents(columnsOf(sample, widths, first, width), width, components, pause));
      first += width;
    }
    return bases;
  }

  private async neighbours(rows: Rows, k: number, told: SearchListener): Promise<Neighbours> {
    const { count } = rows.shape;
    const blocks = blocksOf(count);
    const parts = Math.min(blocks, Math.max(PARTS, Math.ceil(blocks / MOST_BLOCKS)));
    const ranges = Array.from({ length: parts }, (_, part) => shardRange(blocks, parts, part));
    const found = { rows: new Uint32Array(count * k), cosines: new Float32Array(count * k) };
    const ends = count < this.manyImages ? [parts] : turnsOf(parts, this.executor.workers);
    const began = performance.now();
    let [at, first] = [0, 0];
    for (const end of ends) {
      for (const result of await this.executor.neighbours(rows, k, ranges.slice(first, end))) {
        found.rows.set(result.rows, at);
        found.cosines.set(result.cosines, at);
        at += result.rows.length;
      }
      first = end;
      const secondsLeft = ((performance.now() - began) / 1000 / end) * (parts - end);
      if (end < parts) await told({ images: count, done: end / parts, secondsLeft });
    }
    return found;
  }
}

/**
 * Returns the number of the task at which each turn ends. The first turn has one task for each worker, which shows how
 * long all of them will take.
 */
function turnsOf(tasks: number, workers: number): number[] {
  const first = Math.min(tasks, Math.max(1, workers));
  const ends = Array.from({ length: TURNS + 1 }, (_, turn) => first + Math.round(((tasks - first) * turn) / TURNS));
  return [...new Set(ends)];
}

/**
 * Returns the shares that labels are held to. The network's predictions for all images say more of the classes than a
 * few labels do.
 */
function sharesFor(
  { shares }: Propagation,
  probabilities: Float32Array | undefined,
  classes: number,
): readonly number[] | undefined {
  if (shares !== 'predicted') return shares;
  return probabilities && predictedShares(probabilities, classes);
}

/** Spreads the labels of the seeds. Returns the distribution over the classes of each image, [images, classes]. */
async function spread(
  graph: Graph,
  seeds: Seeds,
  classes: number,
  settings: Pick<Propagation, 'spread'> & { readonly shares: readonly number[] | undefined },
): Promise<Float64Array> {
  const y = new Float64Array(graph.count * classes);
  for (const [i, position] of seeds.positions.entries()) y[position * classes + seeds.labels[i]!] = 1;
  const z = await spreadLabels(graph, y, settings.spread, pause);
  return balanced(distributions(z, classes), classes, settings.shares);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Returns the columns [first, first + width) of rows whose parts have these widths. */
function columnsOf(values: Float32Array, widths: readonly number[], first: number, width: number): Float32Array {
  if (widths.length === 1) return values;
  const stride = widths.reduce((sum, each) => sum + each, 0);
  const result = new Float32Array((values.length / stride) * width);
  for (let row = 0; row * stride < values.length; row++)
    result.set(values.subarray(row * stride + first, row * stride + first + width), row * width);
  return result;
}
