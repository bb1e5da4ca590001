// Tests that a step of a dense network has the same bits with every variant of the products and with plain loops, on
// images with many and with few zeros.
import { describe, expect, it } from 'vitest';
import { nativeVariants, openNative } from '../../src/engine/native/native.js';
import { Products } from '../../src/engine/products.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { modelOf } from '../../src/models/dense/model.js';
import { sameBits } from '../bits.js';
import { folderOfTest } from '../folders.js';
import { compileForArm64, emulatedProducts, whyNoArm64 } from './emulated-products.js';
import { plainProducts } from './plain-products.js';
import { DENOISING, PSEUDO, type StepOfShards, uniform } from './shard-task.js';
import { setting } from './tensor-step.js';

const classifier: DenseModel = modelOf([60, 1300, 3], { inputDropout: 0.2, dropout: [0.5], objective: 'softmax' });
const autoencoder: DenseModel = modelOf([60, 90, 7, 70, 60], {
  inputDropout: 0,
  dropout: [],
  objective: 'reconstruction',
});
const STEPS: readonly (readonly [string, StepOfShards])[] = [
  [
    'a classifier',
    { model: classifier, shards: 2, labelledBatch: 5, unlabelled: { ...PSEUDO, batch: 40, pseudoLabels: 'fresh' } },
  ],
  [
    'an autoencoder',
    { model: autoencoder, shards: 2, labelledBatch: 0, unlabelled: { ...DENOISING, batch: 30, noise: 0.5 } },
  ],
];

/**
 * Returns the gradient of a data-parallel or tensor-parallel step. share: the share of the pixels that are not zero.
 */
async function gradientOf(
  step: StepOfShards,
  way: 'byRows' | 'byTensorShards',
  share: number,
  products: (memory: WebAssembly.Memory) => Products,
): Promise<Float32Array> {
  const next = uniform(5);
  const prepared = setting(step, ({ memory, images }) => {
    for (const { parts } of [images.unlabelled])
      for (const { store } of parts)
        for (const view of store.views()) for (let i = 0; i < view.length; i++) if (next() >= share) view[i] = 0;
    return products(memory);
  });
  await prepared[way]();
  return prepared.gradient();
}

describe.each(STEPS)('a step of %s', (_, step) => {
  it.each([
    ['byRows', 0.1],
    ['byRows', 0.9],
    ['byTensorShards', 0.1],
    ['byTensorShards', 0.3],
    ['byTensorShards', 0.9],
  ] as const)('%s, %d of the pixels not zero, is that of plain loops in every variant', async (way, share) => {
    const plain = await gradientOf(step, way, share, (memory) => new Products(memory, plainProducts(memory)));
    expect(plain.some((value) => value !== 0)).toBe(true);
    for (const variant of nativeVariants()) {
      const found = await gradientOf(step, way, share, (memory) => new Products(memory, openNative(memory, variant)));
      expect(sameBits(found, plain), variant).toBe(true);
    }
  });

  it.skipIf(whyNoArm64)(
    `has the bits of an emulated arm64${whyNoArm64 ? `: left out without ${whyNoArm64}` : ''}`,
    async () => {
      const program = compileForArm64(folderOfTest('arm64'));
      for (const share of [0.1, 0.9])
        for (const way of ['byRows', 'byTensorShards'] as const) {
          const plain = await gradientOf(step, way, share, (memory) => new Products(memory, plainProducts(memory)));
          const found = await gradientOf(
            step,
            way,
            share,
            (memory) => new Products(memory, emulatedProducts(memory, program)),
          );
          expect(sameBits(found, plain), `${way} ${share}`).toBe(true);
        }
    },
  );
});
