// Denoising autoencoder: the network reconstructs images from noisy ones (Vincent et al. 2008). It needs no labels.
import { z } from 'zod';
import type { Method } from './method.js';
import { supervised } from './supervised.js';

export interface DenoisingSettings {
  readonly name: 'denoising';
  readonly batch: number;
  /** The standard deviation of the Gaussian noise on the inputs, which are clipped to [0, 1] again. */
  readonly noise: number;
}

export const denoising: Method<DenoisingSettings> = {
  ...supervised,
  title: 'Denoising autoencoder',
  settings: z.strictObject({
    name: z.literal('denoising'),
    batch: z.int().min(1).max(1e9),
    noise: z.number().min(0).max(1e9),
  }),
  defaults: { name: 'denoising', batch: 256, noise: 0.5 },
  reconstructs: true,
  batch: ({ batch }) => batch,
  rows: ({ batch, noise }) => ({
    batch,
    noise,
    factor: 1,
    method: 'denoising',
    settings: {},
    pseudoLabels: 'none',
    logitShift: undefined,
    masses: 'plain',
  }),
  targets: (_, { rows }) => ({ targets: undefined, weights: new Uint8Array(rows).fill(1), statistics: [] }),
};
