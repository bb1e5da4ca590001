// Tests which runs a sweep has, and the rows that their results make.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunResult } from '../../../coordinator/runs/result.js';
import { choicesOf, loadSweep, type Sweep, saveSweep, sweepRows, sweepRuns } from '../../../coordinator/runs/sweep.js';
import { normalise } from '../../../src/training/config.js';
import { folderOfFile } from '../../folders.js';

const root = folderOfFile('sweep');
const config = normalise({ validation: 10, workers: 1 });
const grid = { 'finetune.threshold': [0.7, 0.8], 'finetune.steps': [5, 6, 7] };

describe('the choices of a sweep', () => {
  it('are all combinations, or so many different ones that the seed draws', () => {
    const all = choicesOf(grid, undefined, 1);
    expect(all).toHaveLength(6);
    expect(new Set(all.map((choice) => JSON.stringify(choice))).size).toBe(6);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(), (random, seed) => {
        const some = choicesOf(grid, random, seed);
        expect(some).toEqual(choicesOf(grid, random, seed));
        expect(some).toHaveLength(Math.min(6, random));
        expect(
          new Set(
            some.map((choice) => all.indexOf(all.find((each) => JSON.stringify(each) === JSON.stringify(choice))!)),
          ).size,
        ).toBe(some.length);
      }),
    );
  });
});

describe('the runs of a sweep', () => {
  const sweep: Sweep = { config, choices: choicesOf(grid, undefined, 1), seeds: [3, 4], splits: [1, 2, 5] };

  it('have each choice with each seed and split, in folders of their own', () => {
    const bySplit = sweepRuns(sweep, '/out');
    expect(bySplit.map((runs) => new Set(runs.map((run) => run.config.splitSeed)))).toEqual(
      [1, 2, 5].map((split) => new Set([split])),
    );
    const runs = bySplit.flat();
    expect(runs).toHaveLength(6 * 2 * 3);
    expect(new Set(runs.map(({ path }) => path)).size).toBe(runs.length);
    expect(runs[0]!.config).toMatchObject({ seed: 3, split: 'random', splitSeed: 1, set: sweep.choices[0] });
    expect(sweepRuns({ ...sweep, splits: undefined }, '/out').flat()[0]!.config).toMatchObject({ split: 'first' });
  });

  it('come to a mean and a deviation of each choice, the best first', () => {
    const results = sweepRuns(sweep, '/out').map((runs, split) =>
      runs.map(({ config: { set, seed } }) => {
        const validationAccuracy = Number(set!['finetune.threshold']) + (seed + split) / 100;
        return { validationAccuracy, seconds: 2 } as RunResult;
      }),
    );
    const rows = sweepRows(sweep, results);
    expect(rows).toHaveLength(6);
    expect(rows[0]).toMatchObject({ settings: { 'finetune.threshold': 0.8 }, runs: 6, seconds: 2 });
    expect(rows[0]!.mean).toBeCloseTo(84.5, 10);
    expect(rows.at(-1)!.mean).toBeCloseTo(74.5, 10);
    expect(rows[0]!.deviation).toBeCloseTo(Math.sqrt(5.5 / 5), 10);
  });

  it('are those of the file by which it goes on, which is not written twice', async () => {
    await saveSweep(root, sweep);
    expect(await loadSweep(root)).toEqual(JSON.parse(JSON.stringify(sweep)));
    await expect(saveSweep(root, sweep)).rejects.toMatchObject({ code: 'E_OUTPUT' });
    await expect(loadSweep('/nowhere')).rejects.toMatchObject({ code: 'E_CHECKPOINT_MISSING' });
  });
});
