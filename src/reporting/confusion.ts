// The confusion matrix, and a form of it that people can read, however many classes there are.
import type { Classes } from './metrics.js';

/** Returns counts[label][predicted]. */
export function confusionMatrix(predicted: Classes, labels: Classes, classes: number): number[][] {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]![predicted[i]!]! += 1;
  return counts;
}

/**
 * The most classes of a matrix. A larger one is hard to read, and a list of the pairs that are confused most says more.
 */
export const MOST_MATRIX_CLASSES = 30;

/** Images of one class that were predicted as another. */
export interface ConfusedPair {
  readonly label: number;
  readonly predicted: number;
  readonly count: number;
  /** The share among the images of the label. */
  readonly share: number;
}

/** Returns the pairs that are confused most often, the most frequent first. counts: [label][predicted]. */
export function confusedPairs(counts: readonly (readonly number[])[], most: number): ConfusedPair[] {
  const pairs = counts.flatMap((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.flatMap((count, predicted) =>
      count === 0 || predicted === label ? [] : [{ label, predicted, count, share: count / total }],
    );
  });
  return pairs.sort((a, b) => b.count - a.count || b.share - a.share || a.label - b.label).slice(0, most);
}
