// Tests the preset modern: rounds of propagation and training, and what it refuses.
import { describe, expect, it } from 'vitest';
import { normalise, type Options } from '../../../../src/training/config.js';
import { planOf } from '../../../../src/training/plan.js';
import { MODERN } from '../../../../src/training/presets/modern.js';
import { EFFORTS } from '../../../../src/training/presets/shared.js';
import { stagesSchema } from '../../../../src/training/stage-schema.js';

const images = { height: 28, width: 28, channels: 1 };
const task = { pixels: 784, classes: 10, hidden: [64], labelled: 100, unlabelled: 60_000, images };
const planned = (options: Options, given = task) => planOf(normalise({ preset: 'modern', ...options }), given);

describe('the preset modern', () => {
  it.each(EFFORTS)('has a round of so many steps each: %s', (effort) => {
    const stages = planned({ effort });
    expect(stages.map(({ steps }) => steps)).toEqual(MODERN[effort].rounds);
    expect(stages.map(({ start }) => start)).toEqual(['fresh', ...stages.slice(1).map(() => 'previous')]);
    expect(stagesSchema.parse(stages)).toEqual(stages);
  });

  it('propagates labels without a network first, and then by its features', () => {
    const descriptors = planned({}).map(({ method }) =>
      method.name === 'label-propagation' ? method.graph.descriptors.map(({ kind }) => kind) : [],
    );
    const later = ['features', 'hog'];
    expect(descriptors).toEqual([['hog'], later, later, later]);
  });

  it('holds labels to the labelled shares of the classes, and to those predicted as soon as there are predictions', () => {
    const balances = planned({}).map(({ method }) => method.name === 'label-propagation' && method.balance);
    expect(balances).toEqual(['labelled', 'predicted', 'predicted', 'predicted']);
  });

  it('trains two small convolutional networks, or four, unless somebody names another', () => {
    expect(normalise({ preset: 'modern' })).toMatchObject({ model: 'convnet', members: 2, shards: 4 });
    expect(normalise({ preset: 'modern', effort: 'high' })).toMatchObject({ model: 'convnet', members: 4 });
    expect(normalise({ preset: 'modern', model: 'dense:64' }).members).toBeUndefined();
    expect(normalise(normalise({ preset: 'modern' }))).toEqual(normalise({ preset: 'modern' }));
  });

  it('changes grey images mildly, others in their colours, and none for the scenario nn', () => {
    const augmentOf = (options: Options, channels = 1) =>
      planned(options, { ...task, images: { ...images, channels } })[0]!.augment?.unlabelled;
    expect(augmentOf({})).toMatchObject({ rotate: 10, elastic: 0.7 });
    expect(augmentOf({}, 3)).toHaveProperty('hue');
    expect(augmentOf({ scenario: 'nn' })).toBeUndefined();
    expect(augmentOf({ scenario: 'drop' })).toBeDefined();
    expect(augmentOf({ augment: 'none' })).toBeUndefined();
  });

  it('has no autoencoder, and no other preset an effort', () => {
    expect(() => planned({ scenario: 'dae' })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
    expect(() => normalise({ effort: 'high' })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
  });
});
