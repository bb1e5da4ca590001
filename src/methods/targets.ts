// Makes the targets and the weights of a step's rows: for one shard on a worker (data parallel), or for a whole step at
// the coordinator (tensor parallel). The sum over all shards is the gradient of L = mean labelled + factor * mean
// unlabelled, whatever their number.
import type { Prediction, UnlabelledRows } from './method.js';
import { methodNamed } from './methods.js';

export interface TaughtRows {
  readonly labels: Uint16Array;
  /** The labelled rows of the whole step. */
  readonly labelledBatch: number;
  readonly unlabelled: UnlabelledRows | undefined;
  /** The number of terms that a row's loss is the mean of: the pixels of a reconstruction, or 1 for a classifier. */
  readonly terms: number;
}

/** Where targets and weights are written. Row order: labelled, then unlabelled, then padding of weight 0. */
export interface TargetPlaces {
  /** [classes, stride] */
  readonly targets: Float32Array;
  /** [stride] */
  readonly weights: Float32Array;
}

export interface Taught {
  /** The weight of each unlabelled row, from 0 to 1. */
  readonly counts: ArrayLike<number>;
  readonly statistics: readonly number[];
  /** Whether the targets are the rows themselves, which the caller has. */
  readonly areInputs: boolean;
}

export const NO_PREDICTION: Prediction = {
  rows: 0,
  classes: new Uint16Array(),
  confidences: new Float32Array(),
  classMasses: [],
  probabilities: () => new Float32Array(),
};

/** Returns the stored predictions of the rows at these positions. stored: the predictions of all unlabelled images. */
export const storedPrediction = (
  positions: Uint32Array,
  stored: Pick<Prediction, 'classes' | 'confidences'>,
): Prediction => ({
  ...NO_PREDICTION,
  rows: positions.length,
  classes: Uint16Array.from(positions, (position) => stored.classes[position]!),
  confidences: Float32Array.from(positions, (position) => stored.confidences[position]!),
});

/** Sets the targets and the weights of the rows. */
export function setTargets(
  { labels, labelledBatch, unlabelled, terms }: TaughtRows,
  prediction: Prediction,
  { targets, weights }: TargetPlaces,
): Taught {
  // This comes first, because the prediction may be in the memory where the weights are written.
  const taught =
    unlabelled && prediction.rows > 0 ? methodNamed(unlabelled.method).targets(unlabelled, prediction) : undefined;
  weights.fill(0).fill(1 / labelledBatch, 0, labels.length);
  const stride = weights.length;
  const counts = taught?.weights ?? [];
  const each = unlabelled ? unlabelled.factor / unlabelled.batch / terms : 0;
  for (let r = 0; r < counts.length; r++) weights[labels.length + r] = counts[r]! * each;
  const statistics = taught?.statistics ?? [];
  if (taught && taught.targets === undefined) return { counts, statistics, areInputs: true };

  targets.fill(0);
  for (const [r, label] of labels.entries()) targets[label * stride + r] = 1;
  if (taught?.targets instanceof Uint16Array) {
    for (const [r, label] of taught.targets.entries()) targets[label * stride + labels.length + r] = 1;
  } else if (taught?.targets) {
    const { rows } = prediction;
    for (let c = 0; c < targets.length / stride; c++)
      targets.set(taught.targets.subarray(c * rows, (c + 1) * rows), c * stride + labels.length);
  }
  return { counts, statistics, areInputs: false };
}

/**
 * Sums the losses of a step: of the labelled rows, and of the unlabelled rows times their weights.
 * losses: of the rows, not weighted. counts: weights of the unlabelled rows. The sums are in row order and double
 * precision, so that they are the same for every split of the work.
 */
export function lossSums(losses: Float32Array, labels: number, counts: ArrayLike<number>, terms: number) {
  let labelledLoss = 0;
  for (let r = 0; r < labels; r++) labelledLoss += losses[r]!;
  let unlabelledLoss = 0;
  let counted = 0;
  for (let r = 0; r < counts.length; r++) {
    if (counts[r] === 0) continue;
    unlabelledLoss += counts[r]! * losses[labels + r]!;
    counted++;
  }
  return { labelledLoss, unlabelledLoss: unlabelledLoss / terms, counted };
}
