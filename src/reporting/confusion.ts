// A confusion matrix in a form that people can read, however many classes it has.

/** With more classes, a matrix is too large to read: the pairs that are confused most say more. */
export const MOST_MATRIX_CLASSES = 30;

/** Images of one class that were taken for another. */
export interface ConfusedPair {
  readonly label: number;
  readonly predicted: number;
  readonly count: number;
  /** Of the images of the label. */
  readonly share: number;
}

/** The pairs that are confused most often, the most frequent first. counts: [label][predicted]. */
export function confusedPairs(counts: readonly (readonly number[])[], most: number): ConfusedPair[] {
  const pairs = counts.flatMap((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.flatMap((count, predicted) =>
      count === 0 || predicted === label ? [] : [{ label, predicted, count, share: count / total }],
    );
  });
  return pairs.sort((a, b) => b.count - a.count || b.share - a.share || a.label - b.label).slice(0, most);
}
