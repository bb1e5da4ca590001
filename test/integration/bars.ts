// Makes a small data set as a program may have it, and the options of a short run on it.
import { type Dataset, datasetFromArrays, type TrainOptions } from '../../coordinator/library.js';

/**
 * Makes images of 8 x 8 pixels with bars: vertical ones in class 0, horizontal ones in class 1. A tenth of them is
 * labelled.
 */
export function bars(count: number, known: (i: number) => boolean) {
  const images = new Uint8Array(count * 64);
  for (let i = 0; i < count; i++)
    for (let at = 0; at < 8; at++) images[i * 64 + (i % 2 === 0 ? 8 * at + (i % 7) : 8 * (i % 7) + at)] = 255;
  return {
    images,
    labels: Array.from({ length: count }, (_, i) => (known(i) ? ['upright', 'flat'][i % 2] : undefined)),
  };
}
export const dataset: Dataset = datasetFromArrays({
  name: 'bars',
  height: 8,
  width: 8,
  ...bars(200, (i) => i < 20),
  test: bars(50, () => true),
});

export const TINY: TrainOptions = {
  data: dataset,
  hidden: 16,
  shards: 2,
  workers: 2,
  maxSteps: 12,
  checkpointSeconds: 0,
};
