// Owns what TensorBoard is told of a run: which metrics become which values, under which tags.
import { pngOf, type Size } from '../image.js';
import type { LabelsRecord, MetricRecord, StepRecord } from '../record.js';
import type { Histogram, Value } from './event.js';

/** classNames: in the order of the counts of a metric. */
export function valuesOf(metric: MetricRecord, classNames: readonly string[]): Value[] {
  const tagged = (name: string, scalar: number): Value => ({ tag: `${metric.stage}/${name}`, scalar });
  switch (metric.kind) {
    case 'step':
      return stepScalars(metric).map(([name, scalar]) => tagged(name, scalar));
    case 'validation':
      return [tagged('validation_accuracy', metric.accuracy)];
    case 'shares':
      return metric.shares.map((share, each) => tagged(`class_shares/${classNames[each]}`, share));
    case 'labels':
      return [
        tagged('pseudo_labels/flips', metric.flips),
        tagged('pseudo_labels/mean_confidence', metric.meanConfidence),
        ...metric.perClass.map((count, each) => tagged(`pseudo_labels_of_class/${classNames[each]}`, count)),
        ...rightShare(metric).map((share) => tagged('pseudo_labels/right_known_here_only', share)),
        { tag: `${metric.stage}/pseudo_labels/confidence`, histogram: histogramOf(metric.confidences) },
      ];
  }
}

function stepScalars(step: StepRecord): [name: string, value: number][] {
  if (step.stage === 'pretrain') return [['loss/reconstruction', step.unlabelledLoss]];
  if (step.stage === 'supervised') return [['loss/labelled', step.labelledLoss]];
  const always: [string, number][] = [
    ['loss/labelled', step.labelledLoss],
    ['alpha', step.alpha],
  ];
  if (step.unlabelled === 0) return always;
  return [...always, ['loss/pseudo_labelled', step.unlabelledLoss], ['counted', step.counted / step.unlabelled]];
}

function rightShare({ truth }: LabelsRecord): number[] {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return truth && sum(truth.images) > 0 ? [sum(truth.right) / sum(truth.images)] : [];
}

/** counts: of values in equal parts of 0 to 1. Sums are as if every value were in the middle of its part. */
export function histogramOf(counts: readonly number[]): Histogram {
  const parts = counts.length;
  const narrowLayers = (part: number): number => (part + 0.5) / parts;
  const moment = (power: number): number =>
    counts.reduce((sum, count, part) => sum + count * narrowLayers(part) ** power, 0);
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  return {
    limits: counts.map((_, part) => (part + 1) / parts),
    counts,
    min: Math.max(0, first) / parts,
    max: (last + 1) / parts,
    sum: moment(1),
    sumOfSquares: moment(2),
  };
}

/** One picture of three rows: original, noisy, reconstructed. The strings are pixels, one byte each, in base64. */
export function reconstructionsImage(
  { rows, columns }: Size,
  images: readonly { readonly original: string; readonly noisy: string; readonly reconstructed: string }[],
): Value {
  const size = { rows: 3 * rows, columns: columns * images.length };
  const pixels = new Uint8Array(size.rows * size.columns);
  for (const [i, each] of images.entries()) {
    for (const [k, base64] of [each.original, each.noisy, each.reconstructed].entries()) {
      const bytes = Buffer.from(base64, 'base64');
      for (let row = 0; row < rows; row++) {
        const line = bytes.subarray(row * columns, (row + 1) * columns);
        pixels.set(line, (k * rows + row) * size.columns + i * columns);
      }
    }
  }
  const png = pngOf(pixels, size);
  return { tag: 'pretrain/original_noisy_reconstructed', image: { width: size.columns, height: size.rows, png } };
}
