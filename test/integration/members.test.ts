// Tests what a run of an ensemble keeps for people: the predictions of each network, doubtful images, and views. None
// of this changes the run.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSession } from '../../coordinator/compose.js';
import { LabelledSet } from '../../coordinator/labelled-set.js';
import { readRun } from '../../coordinator/report.js';
import { networkFor } from '../../coordinator/runs/network.js';
import { resolveRun } from '../../coordinator/runs/resolved-run.js';
import { newRun } from '../../coordinator/runs/resume.js';
import { runTraining } from '../../coordinator/runs/run.js';
import { train } from '../../coordinator/train.js';
import { sha256OfParameters } from '../../src/checksum.js';
import { datasetOf } from '../../src/data/dataset.js';
import { savedWeights } from '../../src/models/layers/describe.js';
import type { LayersModel } from '../../src/models/layers/model.js';
import { tensorFlow } from '../../src/models/layers/tensorflow.js';
import { toLayersModel } from '../../src/models/layers-model.js';
import { memberClasses } from '../../src/models/member-classes.js';
import { initialParameters, parameterCount } from '../../src/models/models.js';
import { keyOf, Stream } from '../../src/random.js';
import { runPage } from '../../src/reporting/run-page.js';
import { normalise } from '../../src/training/config.js';
import { folderOfFile } from '../folders.js';
import { storeOf } from '../images.js';
import { listener } from './training.js';

const folder = folderOfFile('members');
const [SIDE, COUNT, CLASSES] = [12, 150, 3];

/** Makes images of a class from its pattern with noise. channels: 3 for colour. */
function patterns(channels: number) {
  const pixels = SIDE * SIDE * channels;
  const random = new Stream(keyOf(4, 'split', 1));
  const shapes = Array.from({ length: CLASSES }, () => Uint8Array.from({ length: pixels }, () => random.below(200)));
  const imageOf = (i: number) => shapes[i % CLASSES]!.map((pixel) => pixel + random.below(56));
  return datasetOf({
    name: 'patterns',
    height: SIDE,
    width: SIDE,
    channels,
    classNames: ['a', 'b', 'c'],
    train: {
      count: COUNT,
      images: storeOf(Buffer.concat(Array.from({ length: COUNT }, (_, i) => imageOf(i))), pixels),
      labels: Uint16Array.from({ length: COUNT }, (_, i) => i % CLASSES),
    },
    test: undefined,
  });
}

async function modern(channels: number) {
  const dataset = patterns(channels);
  const options = { preset: 'modern', labelsPerClass: 4, maxSteps: 3, workers: 2, shards: 3 } as const;
  const asked = normalise(options);
  return resolveRun(asked, dataset, await networkFor(asked, dataset));
}

it('a run whose networks are asked one by one ends on the weights of one that nobody looks at, and shows what they say', async () => {
  const run = await modern(3);
  const { config, dataset, split, stages, maxSteps } = run;
  const session = await openSession([run]);
  const path = join(folder, 'run');
  try {
    const signal = new AbortController().signal;
    const opened = await newRun(run, path);
    const watched = { ...opened, listener: {}, signal, validateEvery: 0, test: false };
    const { weightsSha256 } = await runTraining(run, session, watched);
    const labelled = new LabelledSet(dataset.train, split.labelled);
    const training = { seed: config.seed, stages, labelled, maxSteps, images: dataset, unlabelled: split.unlabelled };
    await train(training, session.dispatcher, listener(), undefined);
    const { parameters } = await session.dispatcher.read(stages.at(-1)!.model);
    expect(weightsSha256).toBe(sha256OfParameters(parameters));
  } finally {
    await session.close();
  }
  const record = await readRun(path);
  const members = record.metrics.filter((metric) => metric.kind === 'members');
  expect(members.map(({ stage, step, images }) => [stage, step, images])).toEqual(
    stages.map(({ name }) => [name, 2, COUNT]),
  );
  for (const { agreement, right } of members) {
    expect(right!.each).toHaveLength(2);
    for (const share of [agreement, right!.together, ...right!.each]) expect(share >= 0 && share <= 1).toBe(true);
  }
  expect(record.doubtful!).toMatchObject({ stage: stages.at(-1)!.name, rows: SIDE, columns: SIDE, channels: 3 });
  expect(record.doubtful!.images.length).toBe(24);
  expect(record.views!.sets).toHaveLength(1);
  const page = runPage(record);
  for (const text of ['Networks agree', 'Doubtful images of the graph', 'How images are changed'])
    expect(page).toContain(text);
});

it('the networks of an ensemble say by themselves what each says alone, and together what the ensemble says', async () => {
  const run = await modern(1);
  const model = run.stages[0]!.model as LayersModel;
  const parameters = initialParameters(model, 1, 0);
  const images = Array.from({ length: 70 }, (_, i) => run.dataset.train.images.at(i));
  const { members, together } = await memberClasses(model, parameters, images);
  const { members: _, ...single } = model;
  const all = savedWeights(model);
  const tf = tensorFlow();
  const input = tf.tensor(
    Float32Array.from(Buffer.concat(images), (byte) => byte / 255),
    [70, SIDE, SIDE, 1],
  );
  const said = async (of: LayersModel, values: Float32Array) => {
    const network = await toLayersModel({ model: of, parameters: values, meta: undefined });
    return Uint16Array.from((network.predict(input) as ReturnType<typeof tf.tensor2d>).argMax(1).dataSync());
  };
  const places = savedWeights(single);
  const alone = [0, 1].map((member) => {
    const values = new Float32Array(parameterCount(single));
    for (const [w, { shape, offset }] of places.entries()) {
      const from = all[member * places.length + w]!.offset;
      values.set(parameters.subarray(from, from + shape.reduce((size, side) => size * side, 1)), offset);
    }
    return values;
  });
  // If two classes are nearly as likely, TensorFlow may choose the other one.
  const alike = (a: Uint16Array, b: Uint16Array) => a.filter((each, i) => each === b[i]).length;
  for (const [member, values] of alone.entries())
    expect(alike(members[member]!, await said(single, values))).toBeGreaterThanOrEqual(68);
  expect(alike(together, await said(model, parameters))).toBeGreaterThanOrEqual(68);
  expect(alike(members[0]!, members[1]!)).toBeLessThan(68);
});
