// Tests the images that a run keeps: views are those that its steps draw, doubtful images have the least weights, and
// large images are few.
import { describe, expect, it } from 'vitest';
import { doubtfulOf, viewsOf } from '../../../coordinator/runs/pictures.js';
import { augmented } from '../../../src/data/augment.js';
import { datasetOf } from '../../../src/data/dataset.js';
import { keyOf, Stream } from '../../../src/random.js';
import type { Stage, StageAugmentation } from '../../../src/training/stage.js';
import { storeOf } from '../../images.js';

const COUNT = 40;

function datasetWith(side: number, channels: number) {
  const stream = new Stream(keyOf(3, 'split', 1));
  const pixels = side * side * channels;
  const bytes = Uint8Array.from({ length: COUNT * pixels }, () => stream.below(256));
  return datasetOf({
    name: 'noise',
    height: side,
    width: side,
    channels,
    classNames: ['a', 'b'],
    train: { count: COUNT, images: storeOf(bytes, pixels), labels: new Uint16Array(COUNT) },
    test: undefined,
  });
}

type Run = Parameters<typeof viewsOf>[0];
const run = (dataset: Run['dataset'], stages: readonly Partial<Stage>[]): Run => ({
  dataset,
  stages: stages as Run['stages'],
  config: { seed: 7 } as Run['config'],
  split: {
    labelled: Uint32Array.of(30, 31),
    unlabelled: Uint32Array.from({ length: COUNT }, (_, i) => i),
  } as Run['split'],
});

const stage = (name: string, augment: StageAugmentation | undefined, method = 'fixmatch') =>
  ({ name, labelledBatch: 4, method: { name: method, batch: 8 }, augment }) as unknown as Partial<Stage>;
const CHANGE = { rotate: 20, shift: 2 };

describe('views of images', () => {
  it('are those that the steps of a stage draw, in grey and in colour', () => {
    for (const channels of [1, 3]) {
      const dataset = datasetWith(12, channels);
      const augment = { labelled: CHANGE, unlabelled: CHANGE, weak: { shift: 1 } };
      const views = viewsOf(run(dataset, [stage('pretrain', undefined), stage('finetune', augment)]))!;
      expect(views).toMatchObject({ rows: 12, columns: 12, channels });
      const [{ shown }] = views.sets as [(typeof views.sets)[number]];
      expect(shown.map(({ view, step, pixels }) => [view, step, pixels.length])).toEqual([
        ['original', undefined, 8],
        ...[0, 1].map((step) => ['weak', step, 8]),
        ...[0, 1].map((step) => ['unlabelled', step, 8]),
      ]);
      const name = { seed: 7, stage: 1, step: 1, set: 'unlabelled', row: 5 } as const;
      const expected = augmented(dataset.train.images.at(5), dataset, CHANGE, name);
      expect(Buffer.from(shown[4]!.pixels[5]!, 'base64')).toEqual(Buffer.from(expected));
    }
  });

  it('are of labelled images where a stage uses no others, and not there where none is changed', () => {
    const dataset = datasetWith(12, 1);
    const { sets } = viewsOf(
      run(dataset, [stage('supervised', { labelled: CHANGE, unlabelled: CHANGE }, 'supervised')]),
    )!;
    expect(sets[0]!.shown.map(({ view }) => view)).toEqual(['original', 'labelled', 'labelled']);
    expect(Buffer.from(sets[0]!.shown[0]!.pixels[1]!, 'base64')).toEqual(Buffer.from(dataset.train.images.at(31)));
    expect(viewsOf(run(dataset, [stage('finetune', undefined), stage('round-1', { unlabelled: {} })]))).toBeUndefined();
  });

  it('are shown once for stages that change images alike, and of few images where they are large', () => {
    const alike = ['round-1', 'round-2'].map((name) => stage(name, { unlabelled: CHANGE }, 'label-propagation'));
    expect(viewsOf(run(datasetWith(12, 1), alike))!.sets).toHaveLength(1);
    const large = viewsOf(run(datasetWith(256, 3), alike))!;
    const bytes = JSON.stringify(large).length;
    expect(large.sets[0]!.shown[0]!.pixels.length).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(1_000_000);
  });
});

describe('doubtful images', () => {
  it('are those of least weight, with their rows, and the true label where it may be shown', () => {
    const dataset = datasetWith(12, 1);
    const unlabelled = Uint32Array.of(9, 4, 2);
    const labelling = { classes: Uint16Array.of(0, 1, 1), confidences: Float32Array.of(0.5, 0.25, 1) };
    const known = (position: number) => (position === 1 ? 0 : undefined);
    const found = doubtfulOf(stage('round-1', undefined) as Stage, 3, labelling, dataset, unlabelled, known);
    expect(found).toMatchObject({ stage: 'round-1', step: 3, rows: 12, columns: 12, channels: 1 });
    expect(found.images.map(({ name, label, weight, known }) => [name, label, weight, known])).toEqual([
      ['image 4', 1, 0.25, 0],
      ['image 9', 0, 0.5, undefined],
      ['image 2', 1, 1, undefined],
    ]);
    expect(Buffer.from(found.images[0]!.pixels, 'base64')).toEqual(Buffer.from(dataset.train.images.at(4)));
  });
});
