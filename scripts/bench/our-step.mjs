// Measures our own fine-tune step and labelling in this process, as the peers measure theirs: 784-5000-10, Adam, dropout 0.2 and 0.5,
// 32 labelled and 256 pseudo-labelled rows of real MNIST. Prints one JSON line. Needs the environment of ../environment.mjs.
// node our-step.mjs WORKERS [STEPS] [WARMUP]

import { LabelledSet } from '../../dist/coordinator/labelled.js';
import { openSession, splitOf, taskOf } from '../../dist/coordinator/session.js';
import { normalise } from '../../dist/src/config.js';
import { labelledBatch } from '../../dist/src/data/sampling.js';
import { shardRange } from '../../dist/src/data/shards.js';
import { initialParameters } from '../../dist/src/engine/model.js';
import { classifier } from '../../dist/src/presets/scenario.js';

const [workers = 2, steps = 60, warmup = 10] = process.argv.slice(2).map(Number);
const config = normalise({ scenario: 'pl', preset: 'report', workers });
const session = await openSession([config]);
const { node, dataset, cluster } = session;
const model = classifier(taskOf(config, dataset), true, 'softmax');
const labelled = new LabelledSet(dataset.train, dataset.pixels, splitOf(config, dataset).labelled);
node.write({ parameters: initialParameters(model, 1, 0) });

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
const rounded = (value) => Math.round(value * 100) / 100;

/** The labelled rows of a step, in the parts that the shards own. Always 32: the last batch of an epoch is left out. */
function shardSteps(step) {
  const rows = labelled.rows(labelledBatch({ seed: 1, stage: 0, count: 96, batch: 32 }, step));
  return Array.from({ length: config.shards }, (_, shard) => {
    const [first, end] = shardRange(32, config.shards, shard);
    return {
      ...{ model, seed: 1, stage: 0, step, shard, shards: config.shards, labelledBatch: 32 },
      labelled: {
        images: rows.images.slice(first * dataset.pixels, end * dataset.pixels),
        labels: rows.labels.slice(first, end),
      },
      unlabelled: { batch: 256, factor: 3, pseudoLabels: 'stored', threshold: 0, noise: 0 },
    };
  });
}

/** Milliseconds of each part of a step; `waiting` is what the slower worker and the dispatch add. */
async function timedStep(step) {
  const began = performance.now();
  const gradients = await node.gradients(shardSteps(step));
  const reduced = performance.now();
  const optimizer = { kind: 'adam', rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t: step + 1 };
  const updates = await node.update(model, config.shards, optimizer);
  const ended = performance.now();
  const mean = (of) => gradients.reduce((sum, { milliseconds }) => sum + of(milliseconds), 0) / workers;
  const parts = {
    input: mean((ms) => ms.input),
    forward: mean((ms) => ms.forward),
    backward: mean((ms) => ms.backward),
    update: updates.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / workers,
  };
  const busy = parts.input + parts.forward + parts.backward + parts.update;
  return { step: ended - began, gradient: reduced - began, ...parts, waiting: ended - began - busy };
}

await cluster.label(model);
const timings = [];
const memory = [];
for (let step = 0; step < warmup + steps; step++) {
  const timing = await timedStep(step);
  if (step >= warmup) timings.push(timing);
  if (step % 200 === 0) memory.push(Math.round(process.memoryUsage().rss / 2 ** 20));
}
const inferences = [];
for (let run = 0; run < 3; run++) {
  const began = performance.now();
  await cluster.label(model);
  inferences.push((performance.now() - began) / 1000);
}
const times = timings.map((timing) => timing.step);
const parts = Object.keys(timings[0]).map((part) => [part, rounded(median(timings.map((timing) => timing[part])))]);
await session.close();
console.log(
  JSON.stringify({
    workers,
    ms_median: rounded(median(times)),
    ms_min: rounded(Math.min(...times)),
    ms_max: rounded(Math.max(...times)),
    infer_60k_s: rounded(median(inferences)),
    parts: Object.fromEntries(parts),
    memory_mib: memory,
  }),
);
