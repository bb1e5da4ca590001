// Measures our own fine-tune step and labelling in this process, as the peers measure theirs. Prints one JSON line.
// Needs the environment of ../environment.mjs. node our-step.mjs WORKERS [STRATEGY] [STEPS] [WARMUP]

import { openSession } from '../../dist/coordinator/compose.js';
import { fineTune, resolved, watchPhases } from './fine-tune.mjs';
import { median } from './measuring.mjs';

const [strategy = 'tensor', ...counts] = process.argv.slice(3);
const workers = Number(process.argv[2] ?? 2);
const [steps = 60, warmup = 10] = counts.map(Number);
const run = await resolved({ workers, strategy });
const session = await openSession([run]);
const { local, dispatcher } = session;
const { model, step: doStep } = fineTune(run, dispatcher);
const rounded = (value) => Math.round(value * 100) / 100;

/** What the workers say of the phases of the step in progress. */
let answers = [];
watchPhases(local, (phase, _, found) => {
  if (phase === 'forward') return;
  const results = phase === 'gradients' ? found.results : found;
  answers.push(...results.filter(({ milliseconds }) => milliseconds !== undefined));
});

/**
 * Milliseconds of each part of a step, per worker; `waiting` is what the slower worker, the dispatch and the
 * coordinator add.
 */
async function timedStep(step) {
  answers = [];
  const began = performance.now();
  await doStep(step);
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
for (let pass = 0; pass < 3; pass++) {
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
    ms_median: rounded(median(times)),
    ms_min: rounded(Math.min(...times)),
    ms_max: rounded(Math.max(...times)),
    infer_60k_s: rounded(median(inferences)),
    parts: Object.fromEntries(parts),
    memory_mib: memory,
  }),
);
