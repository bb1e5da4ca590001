// What changes with time, against the formulas of the paper and of Keras.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alpha, learningRate, momentum } from '../../src/schedule.js';

const positive = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
const epoch = fc.nat(2000);

describe('alpha(t)', () => {
  const schedules = fc.record({ t1: fc.nat(500), length: fc.integer({ min: 1, max: 500 }), final: positive });

  it('is 0 before T1, final from T2 on, and (t - T1) / (T2 - T1) * final between them', () => {
    fc.assert(
      fc.property(schedules, epoch, ({ t1, length, final }, t) => {
        const found = alpha({ t1, t2: t1 + length, final }, t);
        if (t < t1) expect(found).toBe(0);
        else if (t >= t1 + length) expect(found).toBe(final);
        else expect(found).toBeCloseTo(((t - t1) / length) * final, 9);
      }),
    );
  });

  it('is that of the paper at its corners', () => {
    const paper = { t1: 100, t2: 600, final: 3 };
    expect([0, 99, 100, 225, 350, 600, 5000].map((t) => alpha(paper, t))).toEqual([0, 0, 0, 0.75, 1.5, 3, 3]);
  });

  it('steps up at once where T1 is T2', () => {
    expect([9, 10].map((t) => alpha({ t1: 10, t2: 10, final: 2 }, t))).toEqual([0, 2]);
  });
});

describe('the momentum', () => {
  it('rises from initial to final over its epochs, and stays there', () => {
    fc.assert(
      fc.property(
        fc.nat(90),
        fc.integer({ min: 91, max: 99 }),
        fc.integer({ min: 1, max: 500 }),
        epoch,
        (a, b, n, t) => {
          const found = momentum({ initial: a / 100, final: b / 100, epochs: n }, t);
          const share = Math.min(t / n, 1);
          expect(found).toBeCloseTo(a / 100 + share * ((b - a) / 100), 12);
        },
      ),
    );
  });

  it('is that of the paper at its corners', () => {
    const paper = { initial: 0.5, final: 0.99, epochs: 500 };
    expect([0, 250, 500, 501].map((t) => momentum(paper, t))).toEqual([0.5, 0.745, 0.99, 0.99]);
  });
});

describe('the learning rate', () => {
  it('is constant where it is said to be', () => {
    expect(learningRate({ kind: 'constant', value: 0.3 }, 77, 100)).toBe(0.3);
  });

  it("decays as Keras' ExponentialDecay, also between the steps of its period", () => {
    fc.assert(
      fc.property(
        positive,
        fc.double({ min: 0.5, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(500),
        (r, k, n, s) => {
          const rate = (step: number) => learningRate({ kind: 'decay', initial: r, factor: k, every: n }, step, 1000);
          expect(rate(0)).toBe(r);
          expect(rate(s + n) / rate(s)).toBeCloseTo(k, 9);
          expect(Math.log(rate(s) / r)).toBeCloseTo((s / n) * Math.log(k), 9);
        },
      ),
    );
  });

  it('falls along a cosine from initial to final, symmetric about the middle', () => {
    fc.assert(
      fc.property(positive, positive, fc.integer({ min: 1, max: 500 }), fc.nat(500), (initial, final, steps, s) => {
        const rate = (step: number) => learningRate({ kind: 'cosine', initial, final }, step, steps);
        expect(rate(0)).toBeCloseTo(initial, 9);
        expect(rate(steps)).toBeCloseTo(final, 9);
        expect(rate(steps / 4)).toBeCloseTo(final + (initial - final) * (0.5 + Math.SQRT1_2 / 2), 9);
        const step = s % (steps + 1);
        expect(rate(step) + rate(steps - step)).toBeCloseTo(initial + final, 9);
      }),
    );
  });
});
