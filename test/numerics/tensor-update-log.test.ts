// Tests a backward pass of a tensor shard in which a worker died. A repetition gives the bits of an undisturbed pass,
// and a second repetition changes nothing.
import { describe, expect, it } from 'vitest';
import { createArena, floats } from '../../src/engine/arena.js';
import { type Kernel, loadKernel, UPDATE_CHUNK } from '../../src/engine/kernel/kernel.js';
import type { OptimizerStep } from '../../src/engine/optimizer.js';
import { Products } from '../../src/engine/products.js';
import { dropoutOf } from '../../src/models/dense/layer.js';
import { layoutOf, modelOf } from '../../src/models/dense/model.js';
import { placesIn, tensorShardRoom } from '../../src/models/dense/tensor-layout.js';
import { TensorShard } from '../../src/models/dense/tensor-shard.js';
import { sameBits } from '../bits.js';
import { randomParameters } from './random-arena.js';
import { uniform } from './shard-task.js';

/** A model with two blocks of units. The first one is several blocks of the kernel. */
const MODEL = modelOf([16, 700, 3], { inputDropout: 0, dropout: [0], objective: 'softmax' });
const COUNTS = { rows: 8, clean: 0 };
const LENGTH = layoutOf(MODEL).length;
const VECTORS = ['parameters', 'firstMoment', 'secondMoment'] as const;
/**
 * The number of ranges that are updated one after the other: kernel and bias of each block, a row of the output kernel
 * for each class, its bias.
 */
const SEGMENTS = 2 * 2 + 3 + 1;

const ADAM: OptimizerStep = { kind: 'adam', rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t: 3 };
const MOMENTUM: OptimizerStep = { kind: 'momentum', a: 0.9, b: 0.1, c: 1 };

const none = { unlabelled: 0, evaluation: 0, shards: 0, workspaces: 1, workspaceBytes: 64 };
const arena = createArena({
  ...none,
  pixels: 16,
  parameterCount: LENGTH,
  ...tensorShardRoom(MODEL, COUNTS, 1),
});
const places = placesIn(arena, MODEL, COUNTS, 1, 1);
const group = places.groups[0]!;
const {
  shards: [own],
  gradient,
} = places.blocks[0]!;
const products = new Products(arena.memory);
const kernel = loadKernel(arena.memory);
const memory = (at: number, length: number) => new Float32Array(arena.memory.buffer, at, length);

const shardWith = (kernel: Kernel): TensorShard =>
  new TensorShard(products, kernel, arena, MODEL, COUNTS, { places, group: 0, block: 0, shard: 0 });
const whole = shardWith(kernel);

/** Sets parameters, moments, inputs, and a gradient at the logits, after a forward pass. */
function begin(seed: number): void {
  const next = uniform(seed);
  floats(arena, 'parameters', LENGTH).set(randomParameters(MODEL, seed));
  for (const part of ['firstMoment', 'secondMoment'] as const) floats(arena, part, LENGTH).fill(0.5);
  const randomise = (at: number, length: number) => memory(at, length).set(Float32Array.from({ length }, next));
  randomise(group.x, 16 * 8);
  whole.forward(dropoutOf(0, group.random));
  randomise(gradient, 3 * 8);
}

const FORGOTTEN = -1;
const updateLog = new Int32Array(arena.memory.buffer, own!.updateLog, 2);

const state = () => VECTORS.map((part) => floats(arena, part, LENGTH).slice());

function expectBits(found: readonly Float32Array[], expected: readonly Float32Array[], when: string): void {
  found.forEach((vector, i) => {
    expect(sameBits(vector, expected[i]!), `${VECTORS[i]} ${when}`).toBe(true);
  });
}

/**
 * Returns a kernel whose update number `last` (from 0) only does the first blocks of its range; then the thread is
 * gone. blocks: FORGOTTEN for a thread that is gone after the kernel has forgotten the progress of the previous update,
 * and before it has noted that this one has begun.
 */
function dyingKernel(last: number, blocks: number): Kernel {
  let calls = 0;
  const cut = (update: (...args: number[]) => void, endAt: number) => {
    return (...args: number[]): void => {
      const isLast = calls++ === last;
      if (isLast && blocks === FORGOTTEN) updateLog[1] = 0;
      if (!isLast) update(...args);
      else if (blocks > 0) update(...args.with(endAt, Math.min(blocks * UPDATE_CHUNK, args[endAt]!)));
      if (isLast) throw new Error('the thread is gone');
    };
  };
  return {
    ...kernel,
    adam: cut(kernel.adam as (...args: number[]) => void, 7),
    momentum: cut(kernel.momentum as (...args: number[]) => void, 6),
  };
}

describe('the backward pass of a tensor shard', () => {
  it.each([ADAM, MOMENTUM])('done twice is done once: $kind', (optimizer) => {
    begin(1);
    whole.backward(1, optimizer, 1);
    const once = state();
    whole.backward(1, optimizer, 1);
    expectBits(state(), once, 'again');
    whole.backward(1, optimizer, 2);
    expect(sameBits(state()[0]!, once[0]!)).toBe(false);
  });

  it.each([ADAM, MOMENTUM])('goes on to the same bits wherever it stopped: $kind', (optimizer) => {
    let number = 10;
    begin(2);
    whole.backward(1, optimizer, number);
    const expected = state();
    for (let last = 0; last < SEGMENTS; last++) {
      for (const blocks of [FORGOTTEN, 0, 1, 3, 100]) {
        number++;
        begin(2);
        expect(() => shardWith(dyingKernel(last, blocks)).backward(1, optimizer, number)).toThrow('gone');
        // This memory need not outlive the thread.
        for (const at of [group.tile, group.weights, group.bias, group.product]) memory(at, 16).fill(Number.NaN);
        whole.backward(1, optimizer, number);
        expectBits(state(), expected, `after ${last} segments and ${blocks} blocks`);
      }
    }
    expect(() => shardWith(dyingKernel(SEGMENTS, 0)).backward(1, optimizer, number + 1)).not.toThrow();
  });
});
