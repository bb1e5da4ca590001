// Tests which preset a user's own images get if no options of training are given.
import { describe, expect, it } from 'vitest';
import { withDefaultPreset } from '../../../coordinator/runs/default-preset.js';
import { datasetFromArrays } from '../../../src/data/arrays.js';
import { normalise } from '../../../src/training/config.js';

const COUNT = 20;
const config = normalise({ data: 'photos', labels: 'corrected.csv', workers: 2 });

/** Makes images of two classes; the first `known` have a label. */
const labelled = (known: number) =>
  datasetFromArrays({
    images: new Uint8Array(COUNT * 4),
    height: 2,
    width: 2,
    labels: Array.from({ length: COUNT }, (_, i) => (i < known ? `class ${i % 2}` : undefined)),
  });

describe('Without a word on how to train', () => {
  it.each([2, 6, 12, 19])('images of which %i of 20 have a label are trained by modern', (known) => {
    const chosen = withDefaultPreset(config, { shards: undefined }, labelled(known));
    expect(chosen.config).toEqual(normalise({ data: 'photos', labels: 'corrected.csv', workers: 2, preset: 'modern' }));
    expect(chosen.note).toContain('preset: modern');
  });

  it('images that all have a label are trained by best, and the run says so', () => {
    const chosen = withDefaultPreset(config, {}, labelled(COUNT));
    expect(chosen.config).toBe(config);
    expect(chosen.note).toContain('--preset modern');
  });

  it('a number of shards is kept', () => {
    const { config: chosen } = withDefaultPreset(normalise({ ...config, shards: 3 }), { shards: 3 }, labelled(2));
    expect(chosen).toMatchObject({ preset: 'modern', shards: 3 });
  });
});

const SET = { set: { 'finetune.threshold': 0.9 } };

it.each([
  { scenario: 'drop' },
  { preset: 'best' },
  { model: 'convnet' },
  { preset: 'modern', classShares: 'equal' },
  { ...SET, method: 'fixmatch' },
])('Who says how to train (%o) gets that', (given) => {
  expect(withDefaultPreset(config, given, labelled(2))).toEqual({ config, note: undefined });
});

it.each([
  [SET, 'settings'],
  [{ classShares: 'equal', augment: 'none' }, 'class shares and ways to change images'],
] as const)('Who changes a training alone (%o) gets that, and reads which preset it is', (given, changes) => {
  const chosen = withDefaultPreset(config, given, labelled(2));
  expect(chosen.config).toBe(config);
  expect(chosen.note).toContain(`preset: best, a dense network, since ${changes} without a preset`);
  expect(withDefaultPreset(config, given, labelled(COUNT)).note).toBeUndefined();
});
