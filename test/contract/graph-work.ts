// Defines the work for a graph that every node under test is given: descriptions of images, and neighbours among them.
import { Rows } from '../../src/graph/rows.js';
import type { Description } from '../../src/models/tasks.js';
import { keyOf, Stream } from '../../src/random.js';
import type { Executor } from '../../src/training/executor.js';
import { EVALUATION, MODEL, UNLABELLED } from './executor-work.js';

const SIZE = { height: 20, width: 20, channels: 1 };
const COMPONENTS = 6;
const FEATURES = 1300;
const NEIGHBOURS = 3;

const stream = new Stream(keyOf(1, 'split', 9));
const some = (length: number) => Float32Array.from({ length }, () => stream.uniform() - 0.5);

export const BY_GRADIENTS: Description = {
  set: 'unlabelled',
  size: SIZE,
  every: 7,
  withProbabilities: false,
  descriptor: { kind: 'hog', components: COMPONENTS, deskew: true },
};
export const BY_FEATURES: Description = {
  set: 'unlabelled',
  size: SIZE,
  every: 1,
  withProbabilities: true,
  model: MODEL,
  descriptor: { kind: 'features', components: COMPONENTS },
  projection: { bases: [{ mean: some(FEATURES), vectors: some(COMPONENTS * FEATURES) }], length: 1 },
};

/** Some ranges are empty, and some are parts of batches. */
export const IMAGE_RANGES: [number, number][] = [
  [0, 256],
  [256, 256],
  [256, 300],
  [300, UNLABELLED],
];
export const BLOCK_RANGES: [number, number][] = [
  [0, 1],
  [1, 1],
  [1, 2],
  [2, 3],
];

/** Returns all results of the work, without times. */
export async function graphBy(node: Executor): Promise<Record<string, readonly unknown[]>> {
  const gradients = await node.describe(BY_GRADIENTS, IMAGE_RANGES);
  const evaluation = await node.describe({ ...BY_GRADIENTS, set: 'evaluation', every: 1 }, [[3, EVALUATION]]);
  const features = await node.describe(BY_FEATURES, IMAGE_RANGES);
  const rows = Rows.allocate({ count: UNLABELLED, columns: COMPONENTS, workspaces: Math.max(1, node.workers) });
  for (const [i, { values }] of features.entries()) rows.write(IMAGE_RANGES[i]![0], values);
  const found = await node.neighbours(rows, NEIGHBOURS, BLOCK_RANGES);
  return {
    gradients: gradients.map(({ values }) => values),
    evaluation: evaluation.map(({ values }) => values),
    features: features.map(({ values }) => values),
    probabilities: features.map(({ probabilities }) => probabilities ?? new Float32Array()),
    neighbours: found.map((each) => each.rows),
    cosines: found.map(({ cosines }) => cosines),
  };
}
