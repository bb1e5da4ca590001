// Measures the fine-tune step of our-step.mjs, cut into two shards, by one process of one worker or by the ranks of mpirun, of one worker each.
// Data parallel (any: summed in MPI's order) or tensor parallel. Rank 0 prints one JSON line. Needs the environment of ../environment.mjs.
// [mpirun -np 2] node mpi-step.mjs data|any|hidden [STEPS] [WARMUP]

import { inPlace } from '../../dist/coordinator/commands/mpi.js';
import { openSession } from '../../dist/coordinator/compose.js';
import { LabelledSet } from '../../dist/coordinator/labelled-set.js';
import { resolveRun } from '../../dist/coordinator/runs/resolved-run.js';
import { Terminal } from '../../dist/coordinator/terminal/terminal.js';
import { rankOf } from '../../dist/src/collectives/mpi.js';
import { loadDataset } from '../../dist/src/data/load.js';
import { labelledBatch } from '../../dist/src/data/sampling.js';
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

const [how = 'data', ...counts] = process.argv.slice(2);
const [steps = 60, warmup = 10] = counts.map(Number);
const strategy = how === 'tensor' ? 'tensor' : 'data';
const order = how === 'any' && { fastSum: true };
const config = normalise({ scenario: 'pl', preset: 'report', workers: 1, shards: 2, strategy, ...order });
const context = {
  terminal: new Terminal(process.stdout, process.stderr, process.env),
  signal: new AbortController().signal,
};
const flags = rankOf(process.env) === undefined ? {} : { collective: 'mpi', workers: 1 };
/** The two calls that a step makes of its node. */
const phases = how === 'tensor' ? ['forward', 'backward'] : ['gradients', 'update'];

await inPlace(flags, context, async (collective) => {
  const run = resolveRun(config, await loadDataset({ folder: undefined }));
  const { dataset, split, task } = run;
  const spent = phases.map(() => []);
  const timed = (node) => {
    for (const [i, phase] of phases.entries()) {
      const ask = node[phase].bind(node);
      node[phase] = async (...args) => {
        const began = performance.now();
        const results = await ask(...args);
        spent[i].push(performance.now() - began);
        return results;
      };
    }
    return node;
  };
  const place = collective ? { kind: 'mpi', collective, allowMixed: false } : { kind: 'threads' };
  const session = await openSession([run], place, timed);
  const model = classifier(task, true, 'softmax');
  const labelled = new LabelledSet(dataset.train, dataset.pixels, split.labelled);
  session.dispatcher.write({ parameters: initialParameters(model, 1, 0) });
  await session.dispatcher.label(model);
  const whole = [];
  for (let step = 0; step < warmup + steps; step++) {
    const began = performance.now();
    await session.dispatcher.step({
      ...{ model, seed: 1, stage: 0, step },
      labelled: labelled.rows(labelledBatch({ seed: 1, stage: 0, count: 96, batch: 32 }, step)),
      unlabelled: { ...STORED, batch: 256, factor: 3 },
      optimizer: { kind: 'adam', rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t: step + 1 },
    });
    whole.push(performance.now() - began);
  }
  await session.close();
  const [step, first, second] = [whole, ...spent].map((times) => times.slice(warmup));
  console.log(JSON.stringify({ step, first, second }));
});
