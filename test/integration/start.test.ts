// Tests runs that start from a trained model.
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { datasetFromArrays, loadModel, type TrainOptions, type TrainResult, train } from '../../coordinator/library.js';
import { RunDirectory } from '../../coordinator/runs/run-directory.js';
import { failureOf } from '../failure.js';
import { folderOfFile } from '../folders.js';
import { bars, dataset, TINY } from './bars.js';

const folder = folderOfFile('start');
const dense = join(folder, 'dense');
const layers = join(folder, 'layers');
const { hidden: _, ...REST } = TINY;

let first: TrainResult;
beforeAll(async () => {
  first = await train({ ...TINY, hidden: 32, out: dense }).result;
  await train({ ...REST, model: 'convnet', maxSteps: 2, out: layers }).result;
});

const same = (a: TrainResult['saved'], b: TrainResult['saved']): boolean =>
  Buffer.from(a.parameters.buffer).equals(Buffer.from(b.parameters.buffer));

it.each([
  ['a run', { start: dense }],
  ['the model of a run', { start: join(dense, 'model') }],
  ['a run, of a network that is named as well', { start: dense, model: 'dense:32' }],
] as [string, TrainOptions][])('%s is where a run starts from, and its network is trained', async (_, options) => {
  // The rate is 0, so the weights stay.
  const still = await train({
    ...REST,
    ...options,
    maxSteps: 1,
    set: { 'finetune.rate': { kind: 'constant', value: 0 } },
  }).result;
  expect(same(still.saved, first.saved)).toBe(true);
  const on = await train({ ...REST, ...options }).result;
  expect(same(on.saved, first.saved)).toBe(false);
  expect(on.saved.parameters.length).toBe(first.saved.parameters.length);
  // A program has the model in memory, and splits the work differently over workers.
  const again = await train({ ...REST, start: first, workers: 1 }).result;
  expect(again.weightsSha256).toBe(on.weightsSha256);
});

it('a network of layers is one, too', async () => {
  const constant = { 'finetune.rate': { kind: 'constant', value: 0 } };
  const before = (await loadModel(layers)).saved;
  for (const model of [undefined, 'convnet', join(layers, 'model')]) {
    const still = await train({ ...REST, start: layers, maxSteps: 1, set: constant, ...(model && { model }) }).result;
    expect(same(still.saved, before)).toBe(true);
  }
});

it('a run that is resumed goes on from its checkpoint, wherever the start lies, and not from another', async () => {
  const moved = join(folder, 'moved');
  await cp(dense, moved, { recursive: true });
  const out = join(folder, 'resumed');
  const stop = new AbortController();
  const begun = train({ ...REST, start: moved, out, signal: stop.signal });
  const reading = (async () => {
    for await (const event of begun) if (event.kind === 'step' && event.step === 4) stop.abort();
  })();
  await expect(reading).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
  expect(await RunDirectory.configOf(out)).toMatchObject({ start: moved, model: 'dense:32' });
  const whole = await train({ ...REST, start: dense }).result;
  expect(await failureOf(train({ resume: out, data: dataset, start: first }).result, 'start')).toMatchObject({
    code: 'E_CONFIG',
  });
  await rm(moved, { recursive: true });
  await train({ ...TINY, hidden: 32, seed: 5, out: moved }).result;
  await expect(train({ resume: out, data: dataset }).result).rejects.toMatchObject({ code: 'E_CHECKPOINT_MISMATCH' });
  await rm(moved, { recursive: true });
  await cp(dense, moved, { recursive: true });
  expect((await train({ resume: out, data: dataset }).result).weightsSha256).toBe(whole.weightsSha256);
});

it.each<[string, TrainOptions, string, string]>([
  ['another network', { start: dense, model: 'dense:48' }, 'E_MODEL', '--model'],
  ['a network of another kind', { start: dense, model: 'convnet' }, 'E_MODEL', '--model'],
  ['an autoencoder first', { start: dense, scenario: 'dae' }, 'E_CONFIG', 'scenario'],
  ['weights that are drawn', { start: dense, fresh: true }, 'E_CONFIG', 'leave'],
  ['a folder without a model', { start: folder }, 'E_MODEL', ''],
])('a start is refused for %s', async (_, options, code, fix) => {
  const error = await failureOf(train({ ...REST, ...options }).result, 'start');
  expect(error).toMatchObject({ code, fix: expect.stringContaining(fix) });
});

it('a start is refused for other images, and for classes in another order or of another number', async () => {
  const small = datasetFromArrays({
    name: 'small',
    height: 4,
    width: 16,
    ...bars(40, () => true),
  });
  expect(await failureOf(train({ ...REST, start: dense, data: small }).result, 'small')).toMatchObject({
    code: 'E_DATA_SHAPE',
  });
  const given = { name: 'others', height: 8, width: 8, ...bars(40, () => true) };
  const labels = (names: readonly string[]) => given.labels.map((_, i) => names[i % names.length]!);
  const turned = datasetFromArrays({ ...given, classNames: ['upright', 'flat'] });
  const more = datasetFromArrays({ ...given, labels: labels(['a', 'b', 'c']) });
  for (const data of [turned, more])
    expect(await failureOf(train({ ...REST, start: dense, data }).result, 'start')).toMatchObject({ code: 'E_MODEL' });
  const renamed = datasetFromArrays({ ...given, labels: labels(['tall', 'wide']) });
  await train({ ...REST, start: dense, data: renamed, maxSteps: 1 }).result;
});
