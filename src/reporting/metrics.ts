// The measures of a classifier.

/** The class of each image. */
export type Classes = Uint8Array | Uint16Array;

/** Returns the share of the images whose predicted class is their label, from 0 to 1. */
export function accuracy(predicted: Classes, labels: Classes): number {
  let right = 0;
  for (let i = 0; i < labels.length; i++) right += Number(predicted[i] === labels[i]);
  return right / labels.length;
}

/** Returns how many images have each class. */
export function classCounts(classes: Classes, count: number): number[] {
  const counts = new Array<number>(count).fill(0);
  for (const each of classes) counts[each]! += 1;
  return counts;
}

/** Returns how many confidences (0 to 1) fall into each of `parts` equal parts of that range. */
export function confidenceHistogram(confidences: Float32Array, parts: number): number[] {
  const counts = new Array<number>(parts).fill(0);
  for (const each of confidences) counts[Math.min(parts - 1, Math.floor(each * parts))]! += 1;
  return counts;
}

/** Returns, for the images of each true class, how many there are, and how many of them were predicted right. */
export function rightOfClasses(
  predicted: Classes,
  labels: Classes,
  classes: number,
): { readonly images: number[]; readonly right: number[] } {
  return {
    images: classCounts(labels, classes),
    right: classCounts(
      labels.filter((label, i) => predicted[i] === label),
      classes,
    ),
  };
}

/** Returns the mean and the sample standard deviation (0 for a single value). */
export function meanAndDeviation(values: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 };
}
