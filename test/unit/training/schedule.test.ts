// Tests what changes with time, against the formulas of the paper and of Keras.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alpha } from '../../../src/methods/alpha.js';
import { learningRate, momentum } from '../../../src/training/schedule.js';

const positive = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
const step = fc.nat(5000);
const every = fc.integer({ min: 1, max: 50 });

describe('alpha(t)', () => {
  const schedules = fc.record({ t1: fc.nat(500), length: fc.integer({ min: 1, max: 500 }), final: positive });

  it('is 0 before T1, final from T2 on, and (t - T1) / (T2 - T1) * final between them', () => {
    fc.assert(
      fc.property(schedules, step, ({ t1, length, final }, t) => {
        const found = alpha({ t1, t2: t1 + length, final, every: 1 }, t);
        if (t < t1) expect(found).toBe(0);
        else if (t >= t1 + length) expect(found).toBe(final);
        else expect(found).toBeCloseTo(((t - t1) / length) * final, 9);
      }),
    );
  });

  it('rises once every so many steps, as the paper counts whole epochs', () => {
    fc.assert(
      fc.property(schedules, every, fc.nat(100), fc.nat(49), ({ t1, length, final }, n, epoch, within) => {
        const inEpochs = alpha({ t1, t2: t1 + length, final, every: 1 }, epoch);
        const inSteps = alpha({ t1: t1 * n, t2: (t1 + length) * n, final, every: n }, epoch * n + (within % n));
        expect(inSteps).toBe(inEpochs); // The bits must be the same, because those of a run depend on them.
      }),
    );
  });

  it('is that of the paper at its corners', () => {
    const paper = { t1: 400, t2: 2400, final: 3, every: 4 };
    expect([0, 399, 403, 900, 1400, 2400, 9999].map((t) => alpha(paper, t))).toEqual([0, 0, 0, 0.75, 1.5, 3, 3]);
  });

  it('steps up at once where T1 is T2', () => {
    expect([9, 10].map((t) => alpha({ t1: 10, t2: 10, final: 2, every: 1 }, t))).toEqual([0, 2]);
  });
});

describe('the momentum', () => {
  const percents = [fc.nat(90), fc.integer({ min: 91, max: 99 }), fc.integer({ min: 1, max: 500 })] as const;

  it('rises from initial to final over its steps, and stays there', () => {
    fc.assert(
      fc.property(...percents, every, step, (a, b, over, n, t) => {
        const found = momentum({ initial: a / 100, final: b / 100, over, every: n }, t);
        const share = Math.min((t - (t % n)) / over, 1);
        expect(found).toBeCloseTo(a / 100 + share * ((b - a) / 100), 12);
      }),
    );
  });

  it('is that of the paper at its corners', () => {
    const paper = { initial: 0.5, final: 0.99, over: 2000, every: 4 };
    expect([0, 3, 1000, 1003, 2000, 2001].map((t) => momentum(paper, t))).toEqual([0.5, 0.5, 0.745, 0.745, 0.99, 0.99]);
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

describe('a warm-up', () => {
  it('rises in a line to the rate that the schedule has then, and leaves it alone after that', () => {
    const schedules = [
      { kind: 'constant', value: 2 },
      { kind: 'cosine', initial: 1, final: 0 },
      { kind: 'step', initial: 1, factor: 0.5, every: 7 },
    ] as const;
    for (const schedule of schedules) {
      const warm = { ...schedule, warmup: 4 };
      for (const t of [0, 1, 3])
        expect(learningRate(warm, t, 40)).toBeCloseTo((learningRate(schedule, t, 40) * (t + 1)) / 5);
      for (const t of [4, 5, 39]) expect(learningRate(warm, t, 40)).toBe(learningRate(schedule, t, 40));
    }
  });
});

describe('a rate that falls by steps', () => {
  it('is that of the exponential one at each of them, and stays between', () => {
    const every = 7;
    for (let t = 0; t < 30; t++) {
      const last = Math.floor(t / every) * every;
      const decayed = learningRate({ kind: 'decay', initial: 3, factor: 0.5, every }, last, 40);
      expect(learningRate({ kind: 'step', initial: 3, factor: 0.5, every }, t, 40)).toBe(decayed);
    }
  });
});
