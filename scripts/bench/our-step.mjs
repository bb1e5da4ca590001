// Measures our own fine-tune step and labelling in this process, as the peers measure theirs: 784-5000-10, Adam, dropout 0.2 and 0.5,
// 32 labelled and 256 pseudo-labelled rows of real MNIST. Prints one JSON line. Needs the environment of ../environment.mjs.
// node our-step.mjs WORKERS [STRATEGY] [PRECISION] [STEPS] [WARMUP]

import { openSession } from '../../dist/coordinator/compose.js';
import { LabelledSet } from '../../dist/coordinator/labelled-set.js';
import { resolveRun } from '../../dist/coordinator/runs/resolved-run.js';
import { labelledBatch } from '../../dist/src/data/sampling.js';
import { loadDataset } from '../../dist/src/data/sources/load.js';
import { initialParameters } from '../../dist/src/models/model.js';
import { normalise } from '../../dist/src/training/config.js';
import { classifier } from '../../dist/src/training/scenario.js';

/** Pseudo-labels as they were stored, all of which count. */
const STORED = {
  method: 'pseudo-label',
  parameters: { threshold: 0 },
  pseudoLabels: 'stored',
  logitShift: undefined,
  masses: 'plain',
  noise: 0,
};

const [strategy = 'tensor', precision = 'f32', ...counts] = process.argv.slice(3);
const workers = Number(process.argv[2] ?? 2);
const [steps = 60, warmup = 10] = counts.map(Number);
const config = normalise({ scenario: 'pl', preset: 'report', workers, strategy, precision });
const run = resolveRun(config, await loadDataset({ folder: undefined }));
const session = await openSession([run]);
const { dataset, split, task } = run;
const { local: node, dispatcher } = session;
const model = { ...classifier(task, true, 'softmax'), precision };
const labelled = new LabelledSet(dataset.train, dataset.pixels, split.labelled);
dispatcher.write({ parameters: initialParameters(model, 1, 0) });

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
const rounded = (value) => Math.round(value * 100) / 100;

/** What the workers say of the phases of the step that is going on. */
let answers = [];
for (const phase of ['gradients', 'update', 'backward']) {
  const ask = node[phase].bind(node);
  node[phase] = async (...args) => {
    const results = await ask(...args);
    answers.push(...results.filter(({ milliseconds }) => milliseconds !== undefined));
    return results;
  };
}

/** Milliseconds of each part of a step, per worker; `waiting` is what the slower worker, the dispatch and the coordinator add. */
async function timedStep(step) {
  answers = [];
  const began = performance.now();
  await dispatcher.step({
    ...{ model, seed: 1, stage: 0, step },
    // Always 32: the last batch of an epoch is left out.
    labelled: labelled.rows(labelledBatch({ seed: 1, stage: 0, count: 96, batch: 32 }, step)),
    unlabelled: { ...STORED, batch: 256, factor: 3 },
    optimizer: { kind: 'adam', rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t: step + 1 },
  });
  const total = performance.now() - began;
  const parts = { input: 0, forward: 0, backward: 0, update: 0 };
  for (const { milliseconds } of answers) {
    const of = typeof milliseconds === 'number' ? { update: milliseconds } : milliseconds;
    for (const part of Object.keys(parts)) parts[part] += (of[part] ?? 0) / workers;
  }
  const busy = parts.input + parts.forward + parts.backward + parts.update;
  return { step: total, ...parts, waiting: total - busy };
}

await dispatcher.label(model);
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
  await dispatcher.label(model);
  inferences.push((performance.now() - began) / 1000);
}
const times = timings.map((timing) => timing.step);
const parts = Object.keys(timings[0]).map((part) => [part, rounded(median(timings.map((timing) => timing[part])))]);
await session.close();
console.log(
  JSON.stringify({
    workers,
    strategy,
    precision,
    ms_median: rounded(median(times)),
    ms_min: rounded(Math.min(...times)),
    ms_max: rounded(Math.max(...times)),
    infer_60k_s: rounded(median(inferences)),
    parts: Object.fromEntries(parts),
    memory_mib: memory,
  }),
);
