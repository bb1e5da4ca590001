// The measures of a classifier, and of a step of its training.
import { PSEUDO_LABELLED, type StageName } from '../training/stage.js';

/** The class of each image. */
export type Classes = Uint8Array | Uint16Array;

/** Returns the share of the images whose predicted class is their label, from 0 to 1. */
export function accuracy(predicted: Classes, labels: Classes): number {
  let right = 0;
  for (let i = 0; i < labels.length; i++) right += Number(predicted[i] === labels[i]);
  return right / labels.length;
}

/** The losses of a step, each a mean over its rows, and how its pseudo-labels count. undefined: the step has none. */
export interface StepValues {
  readonly reconstructionLoss?: number | undefined;
  readonly labelledLoss?: number | undefined;
  /** Only of steps in which a pseudo-label counted. */
  readonly pseudoLabelledLoss?: number | undefined;
  readonly alpha?: number | undefined;
  /** The share of the step's pseudo-labels that counted. */
  readonly counted?: number | undefined;
}

/** Returns what a step of its stage measures, out of the numbers that every step records. */
export function stepValues(step: {
  readonly stage: StageName;
  readonly labelledLoss: number;
  readonly unlabelledLoss: number;
  readonly alpha: number;
  readonly counted: number;
  readonly unlabelled: number;
}): StepValues {
  const { stage, labelledLoss, unlabelledLoss, alpha, counted, unlabelled } = step;
  if (stage === 'pretrain') return { reconstructionLoss: unlabelledLoss };
  if (!PSEUDO_LABELLED.some((name) => name === stage)) return { labelledLoss };
  return {
    labelledLoss,
    alpha,
    ...(unlabelled > 0 && { counted: counted / unlabelled }),
    ...(counted > 0 && { pseudoLabelledLoss: unlabelledLoss }),
  };
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
