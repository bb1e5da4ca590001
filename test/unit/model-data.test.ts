// Tests which images a saved model is used on by default, and the names of its classes.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkPixels, classNamesOf } from '../../coordinator/classifier.js';
import { dataOf } from '../../coordinator/commands/saved-model.js';
import { datasetOf } from '../../src/data/dataset.js';
import { ImageStore } from '../../src/data/image-store.js';
import { readIdxIntegers } from '../../src/data/sources/idx.js';
import { labelFile } from '../../src/labelling/idx-file.js';
import { modelOf } from '../../src/models/dense/model.js';
import type { ModelMeta, SavedModel } from '../../src/models/saved-model.js';
import { folderOfTest } from '../folders.js';

const size = { rows: 2, columns: 2, classes: 2 };

function saved(meta: Partial<ModelMeta> | undefined): SavedModel {
  const model = modelOf([4, 16, 2], { inputDropout: 0, dropout: [0], objective: 'softmax' });
  return { model, parameters: new Float32Array(), meta: meta && { ...size, ...meta } };
}

describe('the data of a model', () => {
  let run: string;
  beforeEach(async () => {
    run = folderOfTest('model-data');
    await mkdir(join(run, 'model'));
    await mkdir(join(run, 'copied'));
  });
  const configured = (config: object) => writeFile(join(run, 'config.json'), JSON.stringify(config));

  it('are those of its run, given the run or the model in it (case 25)', async () => {
    await configured({ data: '/elsewhere/letters', optionOfAnotherVersion: 1 });
    expect(await dataOf(run, saved({ data: 'letters' }))).toEqual({ data: '/elsewhere/letters' });
    expect(await dataOf(join(run, 'model'), saved({ data: 'letters' }))).toEqual({ data: '/elsewhere/letters' });
    await configured({});
    expect(await dataOf(run, saved({ data: 'mnist' }))).toEqual({});
  });

  it('are read as those of its run were, but for what is said now', async () => {
    await configured({ data: '/elsewhere/letters', labels: '/elsewhere/labels.csv', size: '8x8', hidden: 16 });
    expect(await dataOf(run, saved({}), { labels: 'better.csv' })).toEqual({
      data: '/elsewhere/letters',
      labels: 'better.csv',
      size: '8x8',
    });
    expect(await dataOf(run, saved({}), { data: 'new' })).toEqual({ data: 'new', size: '8x8' });
    expect(await dataOf(run, saved({}), { data: 'new', size: '4x4' })).toEqual({ data: 'new', size: '4x4' });
  });

  it('are MNIST for a model that is in no run, unless it says that it learned from others (case 25)', async () => {
    await configured({ data: '/elsewhere/letters' });
    const copied = join(run, 'copied');
    for (const meta of [undefined, {}, { data: 'mnist' }]) expect(await dataOf(copied, saved(meta))).toEqual({});
    await expect(dataOf(copied, saved({ data: 'letters' }))).rejects.toMatchObject({
      code: 'E_MODEL',
      message: expect.stringContaining('trained on letters'),
      fix: expect.stringContaining('--data'),
    });
  });
});

describe('the size of images that a model takes', () => {
  const grey = { name: 'mine', height: 2, width: 2, channels: 1 };
  const failure = (meta: Partial<ModelMeta> | undefined, images: Partial<typeof grey>) => () =>
    checkPixels(saved(meta), { ...grey, ...images });

  it('is that of its training images, and --size makes it of another', () => {
    expect(failure({}, {})).not.toThrow();
    expect(failure(undefined, {})).not.toThrow();
    expect(failure({}, { height: 4, width: 1 })).toThrow(
      expect.objectContaining({
        code: 'E_DATA_SHAPE',
        message: 'mine has images of 4 x 1 pixels, the model takes 2 x 2',
        fix: expect.stringContaining('--size 2x2'),
      }),
    );
    expect(failure(undefined, { height: 5 })).toThrow('the model takes 4 values');
  });

  it('has as many values a pixel: no grey image is taken for one in colour', () => {
    expect(failure({}, { channels: 3 })).toThrow(
      expect.objectContaining({
        message: 'mine has images of 2 x 2 x 3 pixels, the model takes 2 x 2',
        fix: expect.stringContaining('learned from grey images, these have 3 values a pixel'),
      }),
    );
  });
});

describe('the names of the classes of a model', () => {
  const train = { count: 1, images: ImageStore.allocate(1, 4), labels: new Uint16Array(1) };
  const dataset = datasetOf({
    name: 'mine',
    height: 2,
    width: 2,
    channels: 1,
    classNames: ['3', '8'],
    train,
    test: undefined,
  });

  it('are its own, else those of a data set with as many, else numbers (case 23)', () => {
    expect(classNamesOf(saved({ classNames: ['cat', 'dog'] }), dataset)).toEqual(['cat', 'dog']);
    expect(classNamesOf(saved({}), dataset)).toEqual(['3', '8']);
    expect(classNamesOf(saved(undefined))).toEqual(['0', '1']);
    expect(classNamesOf(saved(undefined), { ...dataset, classes: 3 })).toEqual(['0', '1']);
  });
});

describe('the label file that a model writes', () => {
  it('has the numbers that the model learned from, and none that says that nobody knows (case 4)', async () => {
    const path = join(folderOfTest('label-file'), 'labels');
    const numbers = fc.constantFrom(0, 1, 3, 26, 254, 255, 256, 70_000, 999_999_999);
    const anyLabels = fc
      .uniqueArray(numbers, { minLength: 1 })
      .chain((names) =>
        fc.record({ names: fc.constant(names), classes: fc.array(fc.nat(names.length - 1), { minLength: 1 }) }),
      );
    await fc.assert(
      fc.asyncProperty(anyLabels, async ({ names, classes }) => {
        await writeFile(path, Buffer.concat(labelFile(Uint16Array.from(classes), names.map(String))));
        const { shape, values, isUnsigned } = await readIdxIntegers(path);
        expect([shape, [...values]]).toEqual([[classes.length], classes.map((each) => names[each])]);
        expect(isUnsigned).toBe(names.every((name) => name < 255));
      }),
    );
    const words = labelFile(Uint16Array.of(1, 0), ['cat', '7']);
    expect([...Buffer.concat(words)]).toEqual([0, 0, 8, 1, 0, 0, 0, 2, 1, 0]);
  });
});
