// Tests the update: tfjs' optimizers and Lee's momentum as oracles, the tree in which the gradient buffers are summed,
// and that slices do not matter.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floats } from '../../src/engine/arena.js';
import { UPDATE_CHUNK } from '../../src/engine/kernel/kernel.js';
import type { OptimizerStep } from '../../src/engine/optimizer.js';
import { clipScale, norm, normOf } from '../../src/models/gradient-clipping.js';
import { update } from '../../src/models/update.js';
import { paper } from '../../src/training/presets/paper.js';
import { optimizerStep } from '../../src/training/stage.js';
import { sameBits } from '../bits.js';
import { type Tf, tensorflow } from '../tensorflow.js';
import { type UpdateArena, updateArena } from './update-arena.js';

type Optimizer = InstanceType<Tf['Optimizer']>;

const STEPS = 20;
/** The length has full blocks, and a last one that is not full. */
const LENGTH = 2 * UPDATE_CHUNK + 112;

const ADAM = { kind: 'adam', rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 } as const;

/**
 * Does steps from random parameters and moments of 0, with new random gradients each time. Returns the parameters after
 * the last step.
 */
function trained(step: (t: number) => OptimizerStep, seeGradient: (gradient: Float32Array, t: number) => void) {
  const vectors = updateArena(LENGTH, 1);
  vectors.randomise(1);
  const [initial] = vectors.read() as [Float32Array];
  const zero = new Float32Array(LENGTH);
  for (let t = 0; t < STEPS; t++) {
    const state = t === 0 ? [initial, zero, zero] : vectors.read();
    vectors.randomise(t + 1);
    vectors.write(state);
    seeGradient(vectors.gradientBuffer(0), t);
    updateAll(vectors, t + 1, step(t));
  }
  return { initial, parameters: vectors.read()[0]! };
}

function updateAll({ engine, arena: { shape } }: UpdateArena, id: number, optimizer: OptimizerStep): void {
  const whole = { slice: 0, start: 0, end: shape.parameterCount };
  update(engine, { kind: 'update', update: id, ...whole, shards: shape.shards, optimizer });
}

/** Returns the largest difference, as a share of the expected value or of 1, whichever is larger. */
function worst(found: Float32Array, expected: ArrayLike<number>): number {
  return found.reduce((most, value, i) => {
    const difference = Math.abs(value - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    return difference > most || Number.isNaN(difference) ? difference : most;
  }, 0);
}

describe('the optimizers over twenty steps', () => {
  const tf = tensorflow();

  it.each<[string, () => Optimizer, (t: number) => OptimizerStep]>([
    ['adam', () => tf.train.adam(0.01, 0.9, 0.999, 1e-7), (t) => ({ ...ADAM, t: t + 1 })],
    ['momentum', () => tf.train.momentum(0.01, 0.9), () => ({ kind: 'momentum', a: 0.9, b: 1, c: 0.01 })],
    ['sgd', () => tf.train.sgd(0.05), () => ({ kind: 'momentum', a: 0, b: 1, c: 0.05 })],
  ])("of %s end where tfjs' end", (_, optimizer, step) => {
    const gradients: Float32Array[] = [];
    const { initial, parameters } = trained(step, (gradient) => gradients.push(gradient.slice()));
    const variable = tf.variable(tf.tensor1d(initial), true);
    const oracle = optimizer();
    for (const gradient of gradients) oracle.applyGradients([{ name: variable.name, tensor: tf.tensor1d(gradient) }]);
    expect(worst(parameters, variable.dataSync())).toBeLessThan(1e-5);
    expect(worst(parameters, initial)).toBeGreaterThan(0.1);
    tf.dispose(variable);
  });

  it.each<[string, OptimizerStep, (p: number, m: number, g: number) => [p: number, m: number]]>([
    [
      "Nesterov's momentum",
      { kind: 'momentum', a: 0.9, b: 1, c: 0.01, nesterov: true },
      (p, m, g) => {
        const next = 0.9 * m + g;
        return [p - 0.01 * (g + 0.9 * next), next];
      },
    ],
    [
      'momentum with weight decay',
      { kind: 'momentum', a: 0.9, b: 1, c: 0.01, keep: 1 - 0.01 * 0.5 },
      (p, m, g) => [p * (1 - 0.01 * 0.5) - 0.01 * (0.9 * m + g), 0.9 * m + g],
    ],
  ])('of %s are those of the formula in double precision', (_, step, formula) => {
    const gradients: Float32Array[] = [];
    const { initial, parameters } = trained(
      () => step,
      (gradient) => gradients.push(gradient.slice()),
    );
    const expected = Float64Array.from(
      initial,
      (value, i) =>
        gradients.reduce<[number, number]>(([p, m], gradient) => formula(p, m, gradient[i]!), [value, 0])[0],
    );
    expect(worst(parameters, expected)).toBeLessThan(1e-5);
    expect(worst(parameters, initial)).toBeGreaterThan(0.1);
  });

  it('of adam with weight decay lose a share of each parameter, apart from the gradient', () => {
    const gradients: Float32Array[] = [];
    const decay = 0.3;
    const { initial, parameters } = trained(
      (t) => ({ ...ADAM, t: t + 1, keep: 1 - ADAM.rate * decay }),
      (gradient) => gradients.push(gradient.slice()),
    );
    const expected = Float64Array.from(initial, (value, i) => {
      let [p, m, v] = [value, 0, 0];
      for (const [t, gradient] of gradients.entries()) {
        const g = gradient[i]!;
        m = ADAM.beta1 * m + (1 - ADAM.beta1) * g;
        v = ADAM.beta2 * v + (1 - ADAM.beta2) * g * g;
        const first = m / (1 - ADAM.beta1 ** (t + 1));
        const second = v / (1 - ADAM.beta2 ** (t + 1));
        p = p - ADAM.rate * decay * p - (ADAM.rate * first) / (Math.sqrt(second) + ADAM.epsilon);
      }
      return p;
    });
    expect(worst(parameters, expected)).toBeLessThan(1e-5);
  });

  it("of Lee's momentum are those of the paper's formula in double precision", () => {
    const [stage] = paper('drop', { pixels: 784, classes: 10, hidden: [64], labelled: 100, unlabelled: 1000 });
    const m = new Float64Array(LENGTH);
    const change = new Float64Array(LENGTH);
    const { initial, parameters } = trained(
      (t) => optimizerStep(stage!, t),
      (gradient, t) => {
        const epoch = Math.floor(t / 4); // 100 labels in batches of 32
        const p = (epoch / 500) * 0.99 + (1 - epoch / 500) * 0.5;
        const rate = 1.5 * 0.998 ** (t / 4);
        gradient.forEach((g, i) => {
          m[i] = p * m[i]! + (1 - p) * rate * g;
          change[i]! -= m[i]!;
        });
      },
    );
    const expected = Float64Array.from(initial, (value, i) => value + change[i]!);
    expect(worst(parameters, expected)).toBeLessThan(1e-5);
  });
});

describe('the sum over the gradient buffers', () => {
  /** Sums in single precision, by levels. Neighbours are added, and a value without a neighbour goes up unchanged. */
  function sumByLevels(values: readonly number[]): number {
    if (values.length === 1) return values[0]!;
    const blocks = Array.from({ length: Math.ceil(values.length / 2) }, (_, i) => values.slice(2 * i, 2 * i + 2));
    return sumByLevels(blocks.map(([left, right]) => (right === undefined ? left! : Math.fround(left! + right))));
  }

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 13])('of %i shards is that of a fixed binary tree, to the bit', (shards) => {
    const vectors = updateArena(LENGTH, shards);
    vectors.randomise(shards);
    updateAll(vectors, 1, { kind: 'momentum', a: 0, b: 1, c: 1 }); // This leaves the sum in the first moment.
    const expected = Float32Array.from({ length: LENGTH }, (_, i) =>
      sumByLevels(Array.from({ length: shards }, (_, shard) => vectors.gradientBuffer(shard)[i]!)),
    );
    const sum = floats(vectors.arena, 'firstMoment', LENGTH);
    expect(sameBits(sum, expected)).toBe(true);
    if (shards < 3) return;
    const inOrder = expected.map((_, i) =>
      Array.from({ length: shards }, (_, shard) => vectors.gradientBuffer(shard)[i]!).reduce((a, b) =>
        Math.fround(a + b),
      ),
    );
    expect(sameBits(sum, inOrder)).toBe(shards === 3); // Otherwise these numbers could not tell one order from another.
  });
});

describe('an update in slices', () => {
  it('gives the same bits as in one, wherever they are cut', () => {
    const blocks = 6;
    const vectors = updateArena((blocks - 1) * UPDATE_CHUNK + 48, 5, blocks);
    const { arena, engine } = vectors;
    const optimizers: OptimizerStep[] = [
      { ...ADAM, t: 7 },
      { kind: 'momentum', a: 0.9, b: 0.1, c: 1 },
    ];
    let id = 0;
    fc.assert(
      fc.property(fc.subarray([1, 2, 3, 4, 5]), fc.constantFrom(...optimizers), fc.nat(), (cuts, optimizer, seed) => {
        vectors.randomise(seed);
        updateAll(vectors, ++id, optimizer);
        const whole = vectors.read();
        vectors.randomise(seed);
        const ends = [...cuts.map((block) => block * UPDATE_CHUNK), arena.shape.parameterCount];
        id++;
        ends.forEach((end, slice) => {
          const start = slice === 0 ? 0 : ends[slice - 1]!;
          update(engine, { kind: 'update', update: id, slice, start, end, shards: 5, optimizer });
        });
        vectors.read().forEach((vector, i) => {
          expect(sameBits(vector, whole[i]!)).toBe(true);
        });
      }),
      { numRuns: 40 },
    );
  });
});

describe('a gradient that is clipped', () => {
  const SHARDS = 5;
  const vectors = updateArena(LENGTH, SHARDS, 3);
  const slices = (count: number) => {
    const blocks = Math.ceil(LENGTH / UPDATE_CHUNK);
    const starts = Array.from({ length: count + 1 }, (_, i) =>
      Math.min(LENGTH, Math.ceil((i * blocks) / count) * UPDATE_CHUNK),
    );
    return starts.slice(1).map((end, slice) => ({ slice, start: starts[slice]!, end }));
  };
  const normIn = (count: number, isSummed = false) =>
    normOf(slices(count).map((slice) => norm(vectors.engine, { kind: 'norm', ...slice, shards: SHARDS, isSummed })));

  it('has its norm of the sum over all shards, of the same bits for any number of slices, and of a total', () => {
    vectors.randomise(3);
    let squares = 0;
    for (let i = 0; i < LENGTH; i++) {
      let sum = 0;
      for (let shard = 0; shard < SHARDS; shard++) sum += vectors.gradientBuffer(shard)[i]!;
      squares += sum ** 2;
    }
    const found = normIn(1);
    expect(Math.abs(found / Math.sqrt(squares) - 1)).toBeLessThan(1e-6);
    for (const count of [1, 2, 3]) for (const isSummed of [false, true]) expect(normIn(count, isSummed)).toBe(found);
  });

  it('is shortened to the norm that is given, and else left as it is', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        (clip, length) => {
          const scale = clipScale(clip, length);
          expect(scale * length).toBeLessThanOrEqual(clip * (1 + 1e-15));
          expect(scale).toBe(length <= clip ? 1 : clip / length);
        },
      ),
    );
  });

  it.each<OptimizerStep>([
    { ...ADAM, t: 3 },
    { kind: 'momentum', a: 0.9, b: 0.5, c: 0.1, nesterov: true },
  ])('updates as a shorter gradient would: $kind', (optimizer) => {
    const scale = 2 ** -5; // whose products are exact
    const task = { kind: 'update', slice: 0, start: 0, end: LENGTH, shards: SHARDS, optimizer } as const;
    vectors.randomise(4);
    update(vectors.engine, { ...task, update: 1, scale });
    const clipped = vectors.read();
    vectors.randomise(4);
    for (let shard = 0; shard < SHARDS; shard++) {
      const buffer = vectors.gradientBuffer(shard);
      buffer.set(buffer.map((value) => value * scale));
    }
    update(vectors.engine, { ...task, update: 2 });
    for (const [i, vector] of vectors.read().entries()) expect(sameBits(vector, clipped[i]!)).toBe(true);
  });
});
