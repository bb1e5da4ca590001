// Tests the library as a program uses it: options, events, results, and what stops a run.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import {
  type Coordinator,
  datasetFromArrays,
  evaluate,
  type LabelOptions,
  label,
  listen,
  loadDataset,
  loadModel,
  type Run,
  type RunEvent,
  type TrainOptions,
  train,
} from '../../coordinator/library.js';
import { failureOf } from '../failure.js';
import { folderOfFile } from '../folders.js';
import { tensorflow } from '../tensorflow.js';
import { bars, dataset, TINY } from './bars.js';

const folder = folderOfFile('library');

async function eventsOf(run: Run) {
  const events: RunEvent[] = [];
  for await (const event of run) if (event.kind !== 'missed') events.push(event);
  return events;
}

it('a run tells what happens, and ends with a tf.LayersModel and its accuracy', async () => {
  const run = train(TINY);
  const events = await eventsOf(run);
  expect(events[0]).toEqual({
    kind: 'start',
    labelled: 20,
    unlabelled: 200,
    validation: 0,
    workers: 2,
    notes: [],
  });
  expect(events[1]).toEqual({ kind: 'stage', stage: 'finetune', firstStep: 0, steps: 12 });
  const steps = events.filter((event) => event.kind === 'step');
  expect(steps.map(({ step }) => step)).toEqual([...Array(12).keys()]);
  for (const { loss, labelledLoss } of steps) expect(loss).toBeGreaterThanOrEqual(labelledLoss);
  const { model, accuracy, testAccuracy, classNames, saved } = await run.result;
  expect(accuracy).toBe(testAccuracy);
  expect(classNames).toEqual(['flat', 'upright']);

  // TensorFlow.js predicts the same for the first images as `label`.
  const labelled = await label({ saved }, dataset, { workers: 1 });
  const tf = tensorflow();
  const first = Float32Array.from(dataset.train.images.at(0), (byte) => byte / 255);
  const outputs = (model.predict(tf.tensor(first, [1, 64])) as InstanceType<typeof tf.Tensor>).dataSync();
  expect(Math.max(...outputs)).toBeCloseTo(labelled.confidences[0]!, 5);
  expect(labelled.known(0)).toBe('upright');
  expect((await evaluate({ saved }, dataset)).accuracy).toBe(accuracy);
});

it('two runs one after another have the same bits, also of another number of workers, and with nobody who reads', async () => {
  const shas = [];
  for (const workers of [1, 2]) shas.push((await train({ ...TINY, workers }).result).weightsSha256);
  expect(shas[1]).toBe(shas[0]);
});

it('a run in a directory leaves there what the command line does, and its model is loaded back', async () => {
  const out = join(folder, 'run');
  const { weightsSha256, accuracy } = await train({ ...TINY, out }).result;
  expect(await readdir(out)).toEqual(expect.arrayContaining(['config.json', 'result.json', 'model', 'report.html']));
  const loaded = await loadModel(out);
  expect(loaded.saved.parameters.length).toBeGreaterThan(0);
  expect(await evaluate(loaded, dataset)).toMatchObject({ accuracy, images: 50 });
  expect(weightsSha256).toMatch(/^[0-9a-f]{64}$/);
  await failureOf(train({ ...TINY, out }).result, out);
});

it("a program's own model is trained from its own weights, and is not changed", async () => {
  const tf = tensorflow();
  const own = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [8, 8, 1], filters: 4, kernelSize: 3, activation: 'relu' }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 2, activation: 'softmax' }),
    ],
  });
  const before = own.getWeights().map((weight) => [...weight.dataSync()]);
  const { model, weightsSha256 } = await train({ ...TINY, model: own, maxSteps: 1 }).result;
  expect(own.getWeights().map((weight) => [...weight.dataSync()])).toEqual(before);
  const after = (model as InstanceType<typeof tf.LayersModel>).getWeights().map((weight) => [...weight.dataSync()]);
  const moved = after.flatMap((values, w) => values.map((value, i) => Math.abs(value - before[w]![i]!)));
  expect(Math.max(...moved)).toBeLessThan(0.01); // This is one step of Adam.
  expect(Math.max(...moved)).toBeGreaterThan(0);
  const again = await train({ ...TINY, model: own, maxSteps: 1, workers: 1 }).result;
  const fresh = await train({ ...TINY, model: own, maxSteps: 1, fresh: true }).result;
  expect([again, fresh].map((each) => each.weightsSha256 === weightsSha256)).toEqual([true, false]);
  const three = tf.sequential({ layers: [tf.layers.dense({ inputShape: [64], units: 3 })] });
  expect(await failureOf(train({ ...TINY, model: three }).result, three.name)).toMatchObject({ code: 'E_MODEL' });
});

it('a signal ends a run with E_INTERRUPTED and a checkpoint, and nothing of ours stays on it', async () => {
  const stop = new AbortController();
  let listeners = 0;
  const { signal } = stop;
  const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype;
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove.apply(signal, args);
  };
  const out = join(folder, 'stopped');
  const run = train({ ...TINY, maxSteps: 5000, out, signal });
  const saved: string[] = [];
  const reading = (async () => {
    for await (const event of run) {
      if (event.kind === 'step' && event.step === 3) stop.abort();
      if (event.kind === 'checkpoint') saved.push(event.path);
    }
  })();
  await expect(reading).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
  await expect(run.result).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
  expect(saved).toEqual((await readdir(join(out, 'checkpoints'))).map((name) => join(out, 'checkpoints', name)));
  expect(saved).toHaveLength(1);
  expect(listeners).toBe(0);

  const aborted = train({ ...TINY, signal });
  await expect(aborted.result).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
  await expect(loadDataset(undefined, { signal })).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
  await expect(train({ ...TINY }).result).resolves.toBeDefined();
});

it.each<[TrainOptions, string]>([
  [{ hidden: 3 }, 'hidden'],
  [{ size: '9x9' }, 'size'],
  [{ wire: 'bf16' }, 'wire'],
  [{ nodes: 1 }, 'nodes'],
  [{ allowMixed: true }, 'allowMixed'],
  [{ coordinator: {} as Coordinator }, 'coordinator'],
  [{ validateEvery: -1 }, 'validateEvery'],
  [{ ['worker' as string]: 2 }, 'worker'],
  [{ preset: 'custom', stages: [] }, 'hidden'],
])('the options %j are refused by name, before anything is trained', async (wrong, name) => {
  const error = await failureOf(train({ ...TINY, ...wrong }).result, name);
  expect(error.code).toBe('E_CONFIG');
});

it('a run that was stopped goes on to the bits of one that was not, with its own options and the data of the program', async () => {
  const out = join(folder, 'resumed');
  const stop = new AbortController();
  const begun = train({ ...TINY, out, signal: stop.signal });
  const reading = (async () => {
    for await (const event of begun) if (event.kind === 'step' && event.step === 4) stop.abort();
  })();
  await expect(reading).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
  const other = await failureOf(train({ resume: out, data: dataset, seed: 7 }).result, 'seed');
  expect(other.code).toBe('E_CONFIG');
  expect((await failureOf(train({ resume: out }).result, 'bars')).code).toMatch(/^E_DATA_/);
  const run = train({ resume: out, data: dataset, workers: 1 });
  const [, stage] = await eventsOf(run);
  expect(stage).toMatchObject({ kind: 'stage', steps: 12 });
  const { weightsSha256 } = await run.result;
  expect(weightsSha256).toBe((await train(TINY).result).weightsSha256);
  // For a run that has ended, this gives its result.
  expect((await train({ resume: out }).result).weightsSha256).toBe(weightsSha256);
});

it('a coordinator without nodes ends a run that needs them, lets go of one that is stopped, and computes one that needs none', async () => {
  const coordinator = await listen({ tokenFile: join(folder, 'token') });
  const { address, fingerprint, joinWith } = coordinator;
  expect(address).toMatch(/^wss:\/\/127\.0\.0\.1:\d+$/);
  expect(joinWith).toEqual([address, '--token-file', join(folder, 'token'), '--fingerprint', fingerprint]);
  const over = { ...TINY, coordinator };
  await expect(train({ ...over, nodes: 1, nodesTimeout: 0.05 }).result).rejects.toMatchObject({ code: 'E_NODES' });
  const stop = new AbortController();
  const waiting = train({ ...over, nodes: 1, signal: stop.signal }).result;
  setTimeout(() => stop.abort(), 100);
  await expect(waiting).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
  const { weightsSha256 } = await train(over).result;
  coordinator.close();
  expect(weightsSha256).toBe((await train(TINY).result).weightsSha256);
});

it('two images are enough: a step is cut into as many parts as there are images, where nobody says how many', async () => {
  const two = datasetFromArrays({ name: 'two', height: 8, width: 8, ...bars(2, () => true) });
  const { shards: _, ...rest } = TINY;
  const { weightsSha256 } = await train({ ...rest, data: two, maxSteps: 3 }).result;
  expect((await train({ ...rest, data: two, maxSteps: 3, shards: 2, workers: 1 }).result).weightsSha256).toBe(
    weightsSha256,
  );
  expect((await failureOf(train({ ...rest, data: two, shards: 3 }).result, '3 shards')).fix).toContain('--shards 2');
});

it('pixels from 0 to 1 that were rounded are noted', async () => {
  const { images, labels } = bars(20, () => true);
  const data = datasetFromArrays({
    name: 'ones',
    height: 8,
    width: 8,
    images: images.map((value) => Math.min(value, 1)),
    labels,
  });
  const [start] = await eventsOf(train({ ...TINY, data, maxSteps: 1 }));
  expect(start).toMatchObject({ kind: 'start', notes: [expect.stringContaining('from 0 to 255')] });
});

it('known labels spread over all images of a program, held to the shares that it tells, and test images are labelled as well', async () => {
  const trained = await train({ ...TINY, maxSteps: 1 }).result;
  const told = { propagate: true, classShares: 'equal' } as const;
  const spread = await label(trained, dataset, { ...told, workers: 1 });
  expect(spread).toMatchObject({ count: 200, workers: 1, classShares: { source: 'equal', shares: [0.5, 0.5] } });
  for (let image = 0; image < 20; image++)
    expect([spread.classNames[spread.classes[image]!], spread.confidences[image]]).toEqual([spread.known(image), 1]);
  expect((await label(trained, dataset, { ...told, workers: 2 })).classes).toEqual(spread.classes);
  const plain = await label(trained, dataset, { test: true });
  expect([plain.count, plain.classShares]).toEqual([50, undefined]);
  const wrong: [LabelOptions, string][] = [
    [{ classShares: 'equal' }, 'classShares'],
    [{ propagate: true, classShares: [0.5, 0.6] }, 'classShares'],
    [{ propagate: true, classShares: [0.5, 0.3, 0.2] }, 'shares'],
    [{ propagate: true, test: true }, 'all labels are known'],
  ];
  for (const [options, about] of wrong) await failureOf(label(trained, dataset, options), about);
  expect((await failureOf(label(trained, { ...dataset, test: undefined }, { test: true }), 'bars')).code).toBe(
    'E_DATA_MISSING',
  );
});
