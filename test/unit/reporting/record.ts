// Makes the record of a run for tests of its pages.
import type { LabelsRecord, MetricRecord, RunRecord, StepRecord } from '../../../src/reporting/record.js';

const step = (n: number): StepRecord => ({
  kind: 'step',
  stage: 'finetune',
  step: n,
  labelledLoss: 2 / (n + 1),
  unlabelledLoss: n < 10 ? 0 : 0.5,
  alpha: n < 10 ? 0 : 3,
  counted: n < 10 ? 0 : 192,
  unlabelled: n < 10 ? 0 : 256,
  rows: 288,
});

const labels = (n: number): LabelsRecord => ({
  kind: 'labels',
  stage: 'finetune',
  step: n,
  perClass: [30, 70],
  flips: n,
  meanConfidence: 0.75,
  confidences: [0, 20, 30, 50],
  truth: { images: [40, 60], right: [30, 57] },
});

export const METRICS: readonly MetricRecord[] = [
  ...Array.from({ length: 20 }, (_, n) => [...(n % 5 === 0 ? [labels(n)] : []), step(n)]).flat(),
  { kind: 'validation', stage: 'finetune', step: 19, accuracy: 0.8 },
];

const pixels = Buffer.alloc(16, 128).toString('base64');

export function record(part: Partial<RunRecord> = {}): RunRecord {
  return {
    name: 'mine',
    config: { scenario: 'pl', hidden: 64 },
    metrics: METRICS,
    data: undefined,
    result: {
      scenario: 'pl',
      preset: 'best',
      seed: 1,
      split: 'first',
      splitSeed: 1,
      shards: 2,
      workers: 2,
      lostWorkers: 0,
      steps: 20,
      seconds: 61,
      secondsByPhase: { finetune: 61 },
      imagesPerSecond: 1234.5,
      testAccuracy: 0.7556,
      confusion: [
        [8, 2],
        [1, 9],
      ],
      weightsSha256: 'ab'.repeat(32),
    },
    mistakes: {
      rows: 4,
      columns: 4,
      channels: 1,
      images: [{ image: 17, label: 4, predicted: 9, confidence: 0.998, pixels }],
    },
    reconstructions: {
      rows: 4,
      columns: 4,
      channels: 1,
      noise: 0.5,
      images: [{ original: pixels, noisy: pixels, reconstructed: pixels }],
    },
    views: {
      rows: 4,
      columns: 4,
      channels: 1,
      sets: [
        {
          stage: 'finetune',
          shown: [
            { view: 'original', pixels: [pixels] },
            { view: 'weak', step: 0, pixels: [pixels] },
            { view: 'unlabelled', step: 0, pixels: [pixels] },
          ],
        },
      ],
    },
    doubtful: {
      rows: 4,
      columns: 4,
      channels: 1,
      stage: 'finetune',
      step: 0,
      images: [{ name: 'dots.png', label: 7, weight: 0.123, known: 1, pixels }],
    },
    machine: { node: '20.0.0', processor: 'a processor' },
    ...part,
  };
}
