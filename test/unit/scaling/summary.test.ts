// Tests the summary of a scaling measurement, and when no conclusion is drawn.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Block, medianBlock, type Round, summarise } from '../../../src/scaling/summary.js';
import { SHARES, type Share, type Split } from '../../../src/scaling/time-split.js';
import { blockOf, ONE, roundsOf, slower, TWO } from './blocks.js';

const QUIET = [1, 1.02, 0.99, 1.01, 1];
const OPTIONS = { mode: 'strong', cores: 2, seed: 1 } as const;

const rowsOf = (rounds: readonly Round[], options: Partial<Parameters<typeof summarise>[2]> = {}) =>
  summarise(rounds, [1, 2], { ...OPTIONS, ...options }).rows;
const sum = (split: Split) => SHARES.reduce((total, share) => total + split[share], 0);

describe('a summary', () => {
  it('of strong scaling is the speed-up of the same work, and where the rest of it went', () => {
    const [one, two] = rowsOf(roundsOf(QUIET));
    expect(one).toMatchObject({ speedUp: { value: 1 }, efficiency: { value: 1 }, doubts: [] });
    expect(one!.serialFraction).toBeUndefined();
    expect(one!.oneWorkerOfThreads).toBeUndefined();
    expect(two!.millisecondsPerStep.value).toBe(60);
    expect(two!.imagesPerSecond.value).toBeCloseTo(100 / 0.06, 6);
    expect(two!.speedUp.value).toBeCloseTo(100 / 60, 9);
    expect(two!.efficiency.value).toBeCloseTo(100 / 120, 9);
    expect(two!.serialFraction).toBeCloseTo((60 / 100 - 1 / 2) / (1 / 2), 9);
    expect(two!.split).toMatchObject({ forward: 17.5, backward: 25, update: 10, idle: 7.5 });
    expect(two!.loss.forward).toBeCloseTo(-5 / 120, 9);
    expect(two!.loss.update).toBeCloseTo(10 / 120, 9);
    expect(two!.loss.idle).toBeCloseTo(15 / 120, 9);
    expect(two!.oneWorkerOfThreads!.speedUp.value).toBeCloseTo(100 / 80, 9);
    expect(two!.doubts).toEqual([]);
  });

  it('of weak scaling is the speed-up in images a second', () => {
    const twice = blockOf(2, 200, { forward: 80, backward: 100, update: 40 });
    const [, two] = rowsOf(roundsOf(QUIET, ONE, twice), { mode: 'weak' });
    expect(two!.speedUp.value).toBeCloseTo(200 / 110, 9);
    expect(two!.efficiency.value).toBeCloseTo(100 / 110, 9);
    expect(two!.loss.update).toBeCloseTo(20 / 220, 9);
    expect(two!.serialFraction).toBeUndefined();
  });

  it('compares within rounds: a machine that is slower for a while makes no noise in the speed-up', () => {
    const { speedUp, millisecondsPerStep, doubts } = rowsOf(roundsOf([1, 1.5, 2, 1.2, 1.8]))[1]!;
    expect(speedUp.high! - speedUp.low!).toBeLessThan(1e-9);
    expect(millisecondsPerStep.high! - millisecondsPerStep.low!).toBeGreaterThan(30);
    expect(doubts).toEqual([]);
  });

  it('has parts that add up to the time, and losses that add up to the loss, in any measurement', () => {
    const part = fc.double({ min: 0.1, max: 100, noNaN: true });
    const parts = fc.record(Object.fromEntries(SHARES.map((share) => [share, part])) as Record<Share, typeof part>);
    const round = fc.tuple(parts, parts).map(([one, two]): Round => {
      return { workers: { 1: blockOf(1, 288, one), 2: blockOf(2, 288, two) }, threads: {} };
    });
    fc.assert(
      fc.property(fc.array(round, { minLength: 1, maxLength: 6 }), (rounds) => {
        const [, two] = rowsOf(rounds);
        expect(sum(two!.split)).toBeCloseTo(two!.millisecondsPerStep.value, 6);
        expect(sum(two!.loss)).toBeCloseTo(1 - two!.efficiency.value, 6);
      }),
      { numRuns: 30 },
    );
  });
});

describe('no conclusion is drawn', () => {
  const doubtsOf = (rounds: readonly Round[], options = {}) => rowsOf(rounds, options)[1]!.doubts;
  const changed = (change: (block: Block) => Block) => roundsOf(QUIET, ONE, change(TWO));

  it('from more workers than cores', () => {
    expect(doubtsOf(roundsOf(QUIET), { cores: 1 })).toEqual(['more workers than cores']);
  });

  it('from fewer than three rounds', () => {
    expect(doubtsOf(roundsOf([1, 1]))).toEqual(['too few rounds']);
    expect(doubtsOf(roundsOf([1]))).toEqual(['too few rounds']);
    expect(doubtsOf(roundsOf([1, 1, 1]))).toEqual([]);
  });

  it('from a speed-up whose interval is wider than a tenth of it to each side', () => {
    const noisy = [0.7, 1.4, 1, 0.8, 1.3].map((factor): Round => {
      return { workers: { 1: ONE, 2: slower(TWO, factor) }, threads: {} };
    });
    expect(doubtsOf(noisy)).toEqual(['too noisy']);
  });

  it('from a machine whose cores others had, be it steadily', () => {
    expect(doubtsOf(changed((block) => ({ ...block, withoutCore: 0.06 })))).toEqual(['too busy']);
    expect(doubtsOf(changed((block) => ({ ...block, withoutCore: 0.04 })))).toEqual([]);
    expect(doubtsOf(roundsOf(QUIET, { ...ONE, withoutCore: 0.3 }))).toEqual(['too busy']);
  });

  it('from parts that miss the whole by more than 3 %, on either side', () => {
    for (const splitError of [0.031, -0.031])
      expect(doubtsOf(changed((block) => ({ ...block, splitError })))).toEqual(['parts do not add up']);
    expect(doubtsOf(changed((block) => ({ ...block, splitError: -0.029 })))).toEqual([]);
  });

  it('by the fits, which take conclusive rows alone', () => {
    const counts = [1, 2, 3, 4, 8];
    const round: Round = {
      workers: Object.fromEntries(counts.map((n) => [n, blockOf(n, 100, { forward: 100 + 10 * (n - 1) })])),
      threads: {},
    };
    const fits = (cores: number) => summarise([round, round, round], counts, { ...OPTIONS, cores });
    expect(fits(8).amdahl).toMatchObject({ kind: 'amdahl', sigma: expect.closeTo(0.1, 9) });
    expect(fits(8).universal).toMatchObject({ kind: 'universal', sigma: expect.closeTo(0.1, 9) });
    expect(fits(3).amdahl).toMatchObject({ kind: 'amdahl' });
    expect(fits(3).universal).toEqual({ kind: 'undetermined', needs: 3, has: 2 });
    expect(fits(2).amdahl).toEqual({ kind: 'undetermined', needs: 2, has: 1 });
    expect(summarise([round, round, round], counts, { ...OPTIONS, mode: 'weak' }).amdahl).toBeUndefined();
  });
});

describe('the median block', () => {
  it('is the one in the middle, or the two in the middle together', () => {
    const [fast, narrowLayers, slow] = [slower(ONE, 0.9), ONE, slower(ONE, 3)];
    expect(medianBlock([slow, fast, narrowLayers])).toBe(narrowLayers);
    const both = medianBlock([slow, fast]);
    expect(both).toMatchObject({ steps: 2, rows: 200, split: { forward: expect.closeTo(40 * 3.9, 9) } });
    expect(both.milliseconds / both.steps).toBeCloseTo(195, 9);
  });
});
