// Tests that a run and its model's predictions do not depend on the number of workers if no number of shards is given.

import { beforeAll, describe, expect, it } from 'vitest';
import { configFrom } from '../../coordinator/commands/run-flags.js';
import { openSession } from '../../coordinator/compose.js';
import { LabelledSet } from '../../coordinator/labelled-set.js';
import { Predictor } from '../../coordinator/predictor.js';
import { resolveRun } from '../../coordinator/runs/resolved-run.js';
import { idleLine } from '../../coordinator/terminal/summary.js';
import { sha256OfParameters } from '../../src/checksum.js';
import { type Dataset, datasetOf } from '../../src/data/dataset.js';
import { loadDataset } from '../../src/data/load.js';
import { methodOf } from '../../src/methods/methods.js';
import { layoutOf } from '../../src/models/dense/model.js';
import { initialParameters } from '../../src/models/models.js';
import { normalise } from '../../src/training/config.js';
import { classifier } from '../../src/training/presets/shared.js';
import { denseOf } from '../dense.js';
import { firstImages } from '../images.js';
import { listener, trained } from './training.js';

const WORKERS = [1, 2, 3];
const IMAGES = 2100;

let dataset: Dataset;
beforeAll(async () => {
  const { train, ...mnist } = await loadDataset();
  const images = firstImages(train.images, IMAGES);
  dataset = { ...mnist, train: { ...train, count: IMAGES, images, labels: train.labels.subarray(0, IMAGES) } };
});

/**
 * Returns checksums of the weights after the last steps of each stage, in which pseudo-labels count, for a command with
 * these flags.
 */
async function weightsOf(flags: Parameters<typeof configFrom>[0]): Promise<string[]> {
  const { config, split, stages } = resolveRun(await configFrom(flags), dataset);
  const session = await openSession([resolveRun(config, dataset)]);
  const sums: string[] = [];
  try {
    const { seed } = config;
    const labelled = new LabelledSet(dataset.train, split.labelled);
    for (const stage of stages) {
      const zeros = new Float32Array(layoutOf(denseOf(stage.model)).length);
      const parameters = initialParameters(stage.model, seed, 0);
      session.dispatcher.write({ parameters, firstMoment: zeros, secondMoment: zeros });
      const { method } = stage;
      const counts = labelled.countsOf(denseOf(stage.model).layers.at(-1)!.units);
      const methodState = methodOf(method).begin(method, counts);
      const position = { stage: 0, step: stage.steps - 3, methodState };
      const training = { seed, stages: [stage], labelled, maxSteps: stage.steps };
      sums.push(sha256OfParameters(await trained(training, session.dispatcher, listener(), position)));
    }
  } finally {
    await session.close();
  }
  return sums;
}

describe('the same command', () => {
  it.each([
    { scenario: 'pl' },
    { scenario: 'pl', strategy: 'data' },
    { scenario: 'dae' },
    { scenario: 'dae', strategy: 'data' },
  ])('with %j ends on the same weights with 1, 2 and 3 workers (case 24)', async (flags) => {
    const found: string[][] = [];
    for (const workers of WORKERS) found.push(await weightsOf({ ...flags, hidden: 160, workers }));
    for (const other of found) expect(other).toEqual(found[0]);
  });

  it('labels with the same confidences, to the bit, with 1, 2 and 3 workers (case 24)', async () => {
    const task = { pixels: dataset.pixels, classes: 10, hidden: [160], labelled: 0, unlabelled: IMAGES };
    const model = classifier(task, true, 'softmax');
    const saved = { model, parameters: initialParameters(model, 1, 0), meta: undefined };
    const found = [];
    for (const workers of WORKERS) {
      const predictor = await Predictor.open(saved, dataset.train.images, workers);
      found.push(await predictor.classify());
      await predictor.close();
    }
    const { classes, confidences, runnersUp } = found[0]!;
    expect(classes).toHaveLength(IMAGES);
    for (const [image, each] of classes.entries()) {
      expect(runnersUp.classes[image]).not.toBe(each);
      expect(runnersUp.confidences[image]).toBeLessThanOrEqual(confidences[image]!);
      expect(runnersUp.confidences[image]).toBeGreaterThanOrEqual((1 - confidences[image]!) / 9 - 1e-6);
    }
    for (const other of found) expect(other).toEqual(found[0]);
  });

  it('on a data set with fewer images than shards has one for each image, and is refused where more are asked for', () => {
    const { train } = dataset;
    const images = firstImages(train.images, 5);
    const few = { ...train, count: 5, images, labels: Uint16Array.of(0, 1, 2, 3, 4) };
    const config = normalise({ labelsPerClass: 1, hidden: 160, workers: 1 });
    const set = datasetOf({ ...dataset, classNames: dataset.classNames.slice(0, 5), train: few });
    expect(resolveRun(config, set).config.shards).toBe(5);
    const refusal = { code: 'E_CONFIG', message: '7 shards for 5 unlabelled images' };
    const asked = { ...config, shards: 7 };
    expect(() => resolveRun(asked, set)).toThrow(expect.objectContaining(refusal));
  });
});

it('workers that no step has work for are counted before a run begins', () => {
  const lineFor = (options: Parameters<typeof normalise>[0], workers: number) =>
    idleLine(resolveRun(normalise(options), dataset), workers);
  expect(lineFor({ hidden: 160 }, 8)).toBeUndefined();
  expect(lineFor({ hidden: 160 }, 10)).toContain('2 of 10 workers');
  expect(lineFor({ hidden: 160 }, 10)).toContain('--shards 10');
  expect(lineFor({ hidden: 160, strategy: 'data' }, 5)).toContain('1 of 5 workers');
  expect(lineFor({ hidden: 48 }, 4)).toContain('a wider network');
});
