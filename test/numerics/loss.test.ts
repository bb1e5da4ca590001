// Tests the output layer in the kernel against double precision: how exact its exponential and logarithm are, for
// ordinary and for extreme logits.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  column,
  expectClose,
  float,
  type Logits,
  logSumExp,
  ROWS,
  SMALLEST_NORMAL,
  softmax,
  unitsMajor,
  wideLogits,
} from './logits.js';
import { scratch } from './scratch.js';

interface LossCase {
  readonly logits: Logits;
  readonly targets: Logits;
  readonly weights?: readonly number[];
  readonly bias?: readonly number[];
}

type Loss = 'softmaxCrossEntropy' | 'sigmoidCrossEntropy';

function lossOf(loss: Loss, { logits, targets, weights, bias }: LossCase) {
  const { kernel, floats } = scratch();
  const classes = logits[0]!.length;
  const z = floats(unitsMajor(logits));
  const losses = floats(new Float32Array(ROWS).fill(Number.NaN));
  const addresses = [
    floats(bias ?? new Float32Array(classes)),
    floats(unitsMajor(targets)),
    floats(weights ?? new Float32Array(ROWS).fill(1)),
  ].map(({ byteOffset }) => byteOffset) as [number, number, number];
  kernel[loss](z.byteOffset, ...addresses, classes, ROWS, losses.byteOffset);
  return { dz: z, losses };
}

const labels = fc.array(fc.nat(9), { minLength: ROWS, maxLength: ROWS });
const oneHots = (each: readonly number[]): Logits =>
  each.map((label) => Array.from({ length: 10 }, (_, c) => Number(c === label)));

/** Returns the loss of a row and its gradient by the logits, in double precision. */
type Exact = (logits: number[], targets: readonly number[]) => { loss: number; gradient: readonly number[] };

/** Expects exact results for any logits, bias and weights. */
function expectExact(loss: Loss, exact: Exact): void {
  const biases = fc.array(float(1), { minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(wideLogits, labels, biases, (unbiased, classes, bias) => {
      const weights = classes.map((label, r) => (label + r) / 7);
      const targets = oneHots(classes);
      const { dz, losses } = lossOf(loss, { logits: unbiased, targets, weights, bias });
      unbiased.forEach((row, r) => {
        const logits = row.map((logit, c) => Math.fround(logit + bias[c]!));
        const expected = exact(logits, targets[r]!);
        expectClose(losses[r]!, expected.loss, 1e-6, 1);
        expected.gradient.forEach((slope, c) => {
          expectClose(column(dz, r)[c]!, weights[r]! * slope, 2e-6, 1);
        });
      });
    }),
  );
}

const none = (logits: Logits): Logits => logits.map((row) => row.map(() => 0));

/** Returns the unit in the last place of a float of this size. */
const ulp = (value: number): number => 2 ** (Math.floor(Math.log2(value)) - 23);

describe('the exponential', () => {
  it('is within 2 ulp down to the smallest normal floats, and next to 0 beyond', () => {
    for (let shift = 17; shift < 120; shift += 0.037) {
      // Next to e^-17 and less, the sum of a softmax is 1, so it shows the exponential alone.
      const logits = Array.from({ length: ROWS }, (_, r) => [0, Math.fround(-shift - 0.0046 * r)]);
      const { dz } = lossOf('softmaxCrossEntropy', { logits, targets: none(logits) });
      logits.forEach((row, r) => {
        const found = column(dz, r)[1]!;
        const expected = Math.exp(row[1]!);
        if (row[1]! > -87) expect(Math.abs(found - expected) / ulp(expected)).toBeLessThan(2);
        else expect(found >= 0 && found < 2 * SMALLEST_NORMAL).toBe(true);
      });
    }
  });

  it('makes a softmax that is within 5e-7 of the true one', () => {
    for (let shift = 0; shift < 20; shift += 0.037) {
      const logits = Array.from({ length: ROWS }, (_, r) => [0, Math.fround(-shift - 0.0046 * r)]);
      const { dz } = lossOf('softmaxCrossEntropy', { logits, targets: none(logits) });
      logits.forEach((row, r) => {
        const expected = softmax(row);
        column(dz, r).forEach((found, c) => {
          expectClose(found, expected[c]!, 5e-7, 0);
        });
      });
    }
  });

  it('is within 5e-7 of the true sigmoid from -87 to 1000, and next to 0 below', () => {
    for (const logit of [-1000, -100, -88, -87, -80, -20.5, -1, -1e-3, 0, 1e-3, 1, 20.5, 80, 88, 100, 1000]) {
      const logits = Array.from({ length: ROWS }, () => [Math.fround(logit)]);
      const [found] = lossOf('sigmoidCrossEntropy', { logits, targets: none(logits) }).dz;
      if (logit >= -87) expectClose(found!, 1 / (1 + Math.exp(-logits[0]![0]!)), 5e-7, 0);
      else expect(found! >= 0 && found! < 2 * SMALLEST_NORMAL).toBe(true);
    }
  });
});

describe('the softmax cross-entropy', () => {
  it('and its gradient are those of double precision, whatever the logits, the bias and the weights', () => {
    expectExact('softmaxCrossEntropy', (logits, targets) => ({
      loss: logSumExp(logits) - logits[targets.indexOf(1)]!,
      gradient: softmax(logits).map((probability, c) => probability - targets[c]!),
    }));
  });

  it('of targets that are no single class is the mean over them', () => {
    const logits = Array.from({ length: ROWS }, (_, r) => [r, 1, -2]);
    const targets = logits.map(() => [0.25, 0.5, 0.25]);
    const { losses } = lossOf('softmaxCrossEntropy', { logits, targets });
    logits.forEach((row, r) => {
      const dot = 0.25 * row[0]! + 0.5 * row[1]! + 0.25 * row[2]!;
      expectClose(losses[r]!, logSumExp(row) - dot, 1e-6, 1);
    });
  });

  it('takes the logarithm of sums to within 5e-7, from 1 to many classes', () => {
    for (const classes of [1, 2, 3, 5, 8, 10, 17, 64, 100, 255]) {
      const logits = Array.from({ length: ROWS }, (_, r) =>
        Array.from({ length: classes }, (_, c) => (c === 0 ? 0 : -Math.abs(Math.sin(c * r)) * r)),
      );
      const { losses } = lossOf('softmaxCrossEntropy', { logits, targets: none(logits) });
      logits.forEach((row, r) => {
        expectClose(losses[r]!, logSumExp(row.map(Math.fround)), 5e-7, 1);
      });
    }
  });
});

describe('the sigmoid cross-entropy', () => {
  const termOf = (z: number, t: number) => Math.max(z, 0) - z * t + Math.log1p(Math.exp(-Math.abs(z)));

  it('and its gradient are those of double precision, whatever the logits, the bias and the weights', () => {
    expectExact('sigmoidCrossEntropy', (logits, targets) => ({
      loss: logits.reduce((sum, z, c) => sum + termOf(z, targets[c]!), 0),
      gradient: logits.map((z, c) => 1 / (1 + Math.exp(-z)) - targets[c]!),
    }));
  });

  it('takes the logarithm of 2 to within 1 ulp', () => {
    const logits = Array.from({ length: ROWS }, () => [0]);
    const { losses } = lossOf('sigmoidCrossEntropy', { logits, targets: none(logits) });
    expect(Math.abs(losses[0]! - Math.LN2) / ulp(Math.LN2)).toBeLessThan(1);
  });

  it('takes log(1 + e^-z) to within 1e-6 of its value, however small', () => {
    for (const z of [0, 1e-3, 0.5, 1, 3, 10, 30, 60, 80, 86]) {
      const logits = Array.from({ length: ROWS }, () => [-Math.fround(z)]);
      const { losses } = lossOf('sigmoidCrossEntropy', { logits, targets: none(logits) });
      expectClose(losses[0]!, Math.log1p(Math.exp(logits[0]![0]!)), 1e-6, 0);
    }
  });
});

describe.each(['softmaxCrossEntropy', 'sigmoidCrossEntropy'] as const)('a NaN among the logits of %s', (loss) => {
  it.each([0, 1, 2])('is one in the loss and the gradient of its row, and in no other row (%i)', (c) => {
    const logits = Array.from({ length: ROWS }, (_, r) => [0, 1, 2].map((z) => (r === 5 && z === c ? Number.NaN : z)));
    const { dz, losses } = lossOf(loss, { logits, targets: logits.map(() => [0, 1, 0]) });
    for (let r = 0; r < ROWS; r++) {
      expect(Number.isNaN(losses[r]!)).toBe(r === 5);
      expect(column(dz, r).some(Number.isNaN)).toBe(r === 5);
    }
  });
});
