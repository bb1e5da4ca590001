// Measures a step of a convolutional network in this process: the gradients of two shards and Adam. Prints one JSON line.
// Needs the environment of ../environment.mjs. node our-convnet.mjs NETWORK ROWS WORKERS [STEPS] [WARMUP]

import { convnet } from '../../dist/src/models/layers/convnet.js';
import { describe } from '../../dist/src/models/layers/describe.js';
import { initialParameters, parameterCount, workspaceBytesOf } from '../../dist/src/models/models.js';
import { createThreadExecutor } from '../../dist/worker/thread-executor.js';
import { median } from './measuring.mjs';

const [network, ...numbers] = process.argv.slice(2);
const [rows = 512, workers = 2, steps = 10, warmup = 3] = numbers.map(Number);
const SHARDS = 2;
const PIXELS = 784;

const layer = (class_name, config) => ({ class_name, config: { trainable: true, ...config } });
const conv = (name, filters, more = {}) =>
  layer('Conv2D', { name, filters, kernel_size: [3, 3], activation: 'relu', use_bias: true, ...more });
const pool = (name) => layer('MaxPooling2D', { name, pool_size: [2, 2] });
/** That of the peers (peers/convnet_keras.py, peers/convnet_torch.py). */
const PEERS = {
  class_name: 'Sequential',
  config: {
    name: 'peers',
    layers: [
      conv('c1', 32, { batch_input_shape: [null, 28, 28, 1] }),
      ...[conv('c2', 32), pool('p1'), conv('c3', 64), conv('c4', 64), pool('p2'), layer('Flatten', { name: 'f' })],
      layer('Dense', { name: 'd1', units: 128, activation: 'relu', use_bias: true }),
      layer('Dense', { name: 'd2', units: 10, activation: 'softmax', use_bias: true }),
    ],
  },
};

const model = await describe(network === 'convnet' ? convnet([28, 28, 1], 10) : PEERS);
const length = parameterCount(model);
const node = await createThreadExecutor({
  shape: {
    pixels: PIXELS,
    unlabelled: 8,
    evaluation: 0,
    parameterCount: length,
    shards: SHARDS,
    workspaces: workers,
    workspaceBytes: workspaceBytesOf(model, rows / SHARDS, true),
  },
});
node.write({ parameters: initialParameters(model, 1, 0) });
const images = Uint8Array.from({ length: rows * PIXELS }, (_, i) => ((i * 7919) % 97 < 19 ? (i * 31) % 256 : 0));
const labels = Uint16Array.from({ length: rows }, (_, i) => i % 10);
const part = rows / SHARDS;

async function step(t) {
  const began = performance.now();
  const before = process.cpuUsage();
  const shardSteps = Array.from({ length: SHARDS }, (_, shard) => ({
    model,
    seed: 1,
    stage: 0,
    step: t,
    shard,
    shards: SHARDS,
    labelledBatch: rows,
    unlabelled: undefined,
    labelled: {
      images: images.slice(shard * part * PIXELS, (shard + 1) * part * PIXELS),
      labels: labels.slice(shard * part, (shard + 1) * part),
    },
  }));
  const { update } = await node.gradients(shardSteps);
  await update({ kind: 'adam', rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t });
  const { user, system } = process.cpuUsage(before);
  return { time: performance.now() - began, cpu: (user + system) / 1000 };
}

const found = [];
for (let t = 1; t <= warmup + steps; t++) {
  const figures = await step(t);
  if (t > warmup) found.push(figures);
}
await node.close();
const rounded = (value) => Math.round(value * 100) / 100;
const times = found.map(({ time }) => time);
const cpu_ms = rounded(median(found.map(({ cpu }) => cpu)));
console.log(JSON.stringify({ ms_median: rounded(median(times)), ms_min: rounded(Math.min(...times)), cpu_ms }));
