// Tests the report's table: its runs, and the rows that they make.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { leftOutLine } from '../../../coordinator/commands/reproduce.js';
import {
  isModern,
  loadReproduction,
  notOfModern,
  rowsOf,
  runsOf,
  saveReproduction,
} from '../../../coordinator/runs/reproduction.js';
import type { RunResult } from '../../../coordinator/runs/result.js';
import { rowLines } from '../../../coordinator/terminal/summary.js';
import type { Colours } from '../../../coordinator/terminal/terminal.js';
import { reproductionPage } from '../../../src/reporting/reproduction-page.js';
import { normalise } from '../../../src/training/config.js';
import type { Scenario } from '../../../src/training/scenario.js';

const config = normalise({ hidden: 64, workers: 1 });

const result = (scenario: Scenario, testAccuracy: number | undefined, seconds: number): RunResult => ({
  scenario,
  preset: 'best',
  seed: 1,
  split: 'random',
  splitSeed: 1,
  shards: 1,
  workers: 1,
  wire: 'f32',
  lostWorkers: 0,
  steps: 10,
  seconds,
  secondsByPhase: {},
  imagesPerSecond: 100,
  validationAccuracy: undefined,
  testAccuracy,
  confusion: undefined,
  classNames: [],
  weightsSha256: '',
});

describe('the runs of a reproduction', () => {
  it('are a run for each scenario, in a folder of its name', () => {
    const [runs, ...others] = runsOf({ config, scenarios: ['nn', 'dae'], splits: undefined }, 'out');
    expect(others).toEqual([]);
    expect(runs!.map(({ path }) => path)).toEqual([join('out', 'nn'), join('out', 'dae')]);
    expect(runs!.map((run) => run.config)).toEqual([
      { ...config, scenario: 'nn' },
      { ...config, scenario: 'dae' },
    ]);
  });

  it('of the row modern have its preset, and shards of their own unless others are asked for', () => {
    const modernOf = (given: typeof config) =>
      runsOf({ config: given, scenarios: ['pl', 'modern'], splits: undefined }, 'out')[0]!.filter(isModern);
    const [run, ...others] = modernOf(config);
    expect(others).toEqual([]);
    expect(run!.path).toBe(join('out', 'modern'));
    expect(run!.config).toMatchObject({ preset: 'modern', model: 'convnet', members: 2, shards: 4, seed: config.seed });
    expect(modernOf(normalise({ shards: 6 }))[0]!.config.shards).toBe(6);
  });

  it('are repeated over random splits from 1', () => {
    const runs = runsOf({ config, scenarios: ['nn'], splits: 2 }, 'out').flat();
    expect(runs.map(({ path }) => path)).toEqual([join('out', 'split-1', 'nn'), join('out', 'split-2', 'nn')]);
    expect(runs.map((run) => [run.config.split, run.config.splitSeed])).toEqual([
      ['random', 1],
      ['random', 2],
    ]);
  });
});

describe('the row modern', () => {
  it.each([
    [{}, undefined],
    [{ quick: true, seed: 3, labelsPerClass: 20, shards: 4 }, undefined],
    [{ hidden: 256 }, 'modern: left out, since --hidden is not for it'],
    [{ preset: 'paper', maxSteps: 5 }, 'modern: left out, since --preset, --max-steps are not for it'],
  ])('is left out for options that are not its own, which is told: %o', (options, line) => {
    expect(leftOutLine(notOfModern(normalise(options)))).toBe(line);
  });
});

describe('the rows of a reproduction', () => {
  it('have mean and sample deviation over the splits, and say whether they are above the report', () => {
    const results = [result('nn', 0.7, 1), result('dae', 0.76, 3), result('nn', 0.72, 2), result('dae', 0.77, 3)];
    const [nn, dae] = rowsOf(['nn', 'dae'], results, config);
    expect(nn).toMatchObject({ name: 'NN', paper: 74.19, report: 70.03, aboveReport: true, seconds: 1.5 });
    expect(nn!.accuracy).toBeCloseTo(71, 10);
    expect(nn!.deviation).toBeCloseTo(Math.SQRT2, 10);
    expect(dae).toMatchObject({ report: 76.95, aboveReport: false });
  });

  it('have no deviation where there is one split', () => {
    expect(rowsOf(['nn'], [result('nn', 0.7, 1)], config)[0]!.deviation).toBeUndefined();
  });
});

const plain = { bold: String, green: String } as unknown as Colours;

describe('the table of a reproduction', () => {
  it.each([{ data: 'elsewhere' }, { labelsPerClass: 100 }, { labelsPerClass: 'all' as const }])(
    'has no published figures and no marks beside runs that cannot be held against them: %o (case 27)',
    (options) => {
      const other = normalise({ ...config, ...options });
      const [row] = rowsOf(['nn'], [result('nn', 0.99, 1)], other);
      expect(row).toMatchObject({ paper: undefined, report: undefined, aboveReport: false });
      const lines = rowLines([row!], plain);
      expect(lines).toEqual([
        'row  ours %  steps  seconds  images/s',
        '---  ------  -----  -------  --------',
        'NN    99.00     10      1.0       100',
      ]);
      const page = reproductionPage('mine', [row!], [], 0);
      expect(page).toContain('99.00');
      for (const published of ['Paper', '✓', '74.19', '70.03']) expect(page).not.toContain(published);
    },
  );

  it('has no accuracy where there are no test images, and pretends none (case 14)', () => {
    const [row] = rowsOf(['nn'], [result('nn', undefined, 1)], config);
    expect(row).toMatchObject({ accuracy: undefined, deviation: undefined, aboveReport: false });
    expect(rowLines([row!], plain)[2]).toMatch(/^NN {3,}74\.19 +70\.03 +- /);
    expect(reproductionPage('mine', [row!], [], 0)).not.toContain('NaN');
  });
});

describe('a reproduction on disk', () => {
  it('is read as it was written, once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pseudolabel-reproduction-'));
    const reproduction = { config, scenarios: ['nn', 'pl'] as const, splits: undefined };
    await saveReproduction(folder, reproduction);
    expect(await loadReproduction(folder)).toEqual(reproduction);
    await expect(saveReproduction(folder, reproduction)).rejects.toMatchObject({ code: 'E_OUTPUT' });
    await rm(folder, { recursive: true });
    await expect(loadReproduction(folder)).rejects.toMatchObject({ code: 'E_CHECKPOINT_MISSING' });
  });
});
