// Tests a convolutional network from Keras on MNIST with 100 labels. Threads, two nodes of which one is killed, and two
// ranks train it to the same weights, which TensorFlow.js and Keras load again.
import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { loadDataset } from '../../src/data/load.js';
import { type TensorFlow, tensorFlow } from '../../src/models/layers/tensorflow.js';
import { installKeras, python } from '../keras.js';
import { operatorOfFile, signalling } from './cluster.js';
import { pseudolabel, resultOf } from './command.js';
import { hasMpi, startJob, WHY_SKIPPED } from './mpirun.js';

/** A file that this script made with Keras 3.15.1, for machines that cannot install it. */
const FIXTURE = fileURLToPath(new URL('keras-network.keras', import.meta.url));
const MAKE = `
import sys, json, keras
from keras import layers
keras.utils.set_random_seed(7)
model = keras.Sequential([
  keras.Input((28, 28, 1)),
  layers.Conv2D(8, 5, strides=2, activation='relu'),
  layers.BatchNormalization(momentum=0.9),
  layers.Conv2D(16, 3, padding='same', activation='relu'),
  layers.MaxPooling2D(),
  layers.Flatten(),
  layers.Dropout(0.3),
  layers.Dense(10, activation='softmax'),
])
model.save(sys.argv[1])
print(json.dumps(model.count_params()))
`;
const PREDICT = `
import sys, json, numpy, keras
x = numpy.fromfile(sys.argv[2], dtype='float32').reshape([-1, 28, 28, 1])
print(json.dumps(keras.saving.load_model(sys.argv[1]).predict(x, verbose=0).tolist()))
`;

const STEPS = 24;
const operator = operatorOfFile();
let whyNoKeras: string | undefined;
let flags: readonly string[];
let expected: string;

beforeAll(async () => {
  const model = operator.out('network.keras');
  whyNoKeras = await installKeras();
  if (whyNoKeras === undefined) await python(MAKE, model);
  else await copyFile(FIXTURE, model);
  flags = [
    ...['--model', model, '--scenario', 'pl', '--labels-per-class', '10', '--strategy', 'data', '--shards', '4'],
    ...['--workers', '1', '--max-steps', `${STEPS}`],
  ];
  await pseudolabel('train', ...flags, '--workers', '2', '--out', operator.out('threads'));
  const { weightsSha256, testAccuracy } = await resultOf(operator.out('threads'));
  expected = weightsSha256;
  expect(testAccuracy).toBeGreaterThan(0.25);
});

it('has the same weights by two nodes of which one is killed', async () => {
  const out = operator.out('nodes');
  const listen = ['--listen', 'ws://127.0.0.1:0', '--token-file', operator.tokenFile, '--nodes', '2', '--no-local'];
  const running = operator.start(['train', ...flags, ...listen, '--out', out]);
  await running.says('--token-file');
  const address = / worker (\S+) /.exec(running.said())![1]!;
  const wire = await operator.wireTo({ address });
  const victim = operator.worker(wire, 'victim');
  const other = operator.worker({ address }, 'other');
  const reached = wire.at({ kind: 'sum', to: 'coordinator', nth: 5 }, signalling(victim, 'SIGKILL'));
  await Promise.race([reached, running.ended]);
  await running.says('victim is gone');
  const { exit, stderr } = await running.ended;
  expect(exit, stderr).toBe(0);
  expect((await other.ended).exit).toBe(0);
  expect((await resultOf(out)).weightsSha256).toBe(expected);
});

it('has the same weights by two ranks of a job', async ({ skip }) => {
  if (!hasMpi()) return skip(WHY_SKIPPED);
  const out = operator.out('ranks');
  const { exit, stderr } = await startJob(2, ['train', ...flags, '--collective', 'mpi', '--out', out]).ended;
  expect(exit, stderr).toBe(0);
  expect((await resultOf(out)).weightsSha256).toBe(expected);
});

it('is loaded by plain TensorFlow.js and by Keras, with equal outputs', async ({ skip }) => {
  const { test } = await loadDataset();
  const images = Float32Array.from(Buffer.concat([...test!.images.views(0, 20)]), (byte) => byte / 255);
  const tf: TensorFlow = tensorFlow();
  const loaded = await tf.loadLayersModel(`file://${join(operator.out('threads'), 'model', 'model.json')}`);
  const outputs = loaded.predict(tf.tensor(images, [20, 28, 28, 1])) as ReturnType<TensorFlow['zeros']>;
  const here = outputs.arraySync() as number[][];
  for (const row of here) expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
  if (whyNoKeras !== undefined) return skip(whyNoKeras);
  const [path, bytes] = [operator.out('trained.keras'), operator.out('images.bin')];
  await writeFile(bytes, images);
  expect((await pseudolabel('export', operator.out('threads'), path)).exit).toBe(0);
  const there = await python<number[][]>(PREDICT, path, bytes);
  for (const [r, row] of here.entries())
    for (const [c, value] of row.entries()) expect(there[r]![c]).toBeCloseTo(value, 5);
});
