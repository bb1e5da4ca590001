// Measures what it costs to watch a run: metrics, trace and dashboard together, with a page that listens, against none
// of them. The same steps of the training loop, data parallel, on the same node, in turns of a few steps. Prints what
// it comes to. Needs the environment of ../environment.mjs. node overhead.mjs [ROUNDS] [WORKERS]

import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSession, strategiesFor } from '../../dist/coordinator/compose.js';
import { Dashboard } from '../../dist/coordinator/dashboard/dashboard.js';
import { Dispatcher } from '../../dist/coordinator/dispatcher.js';
import { TracedExecutor } from '../../dist/coordinator/executors/traced-executor.js';
import { LabelledSet } from '../../dist/coordinator/labelled-set.js';
import { Recorder, together } from '../../dist/coordinator/runs/recorder.js';
import { resolveRun } from '../../dist/coordinator/runs/resolved-run.js';
import { RunDirectory } from '../../dist/coordinator/runs/run-directory.js';
import { TensorBoard } from '../../dist/coordinator/runs/tensorboard.js';
import { train } from '../../dist/coordinator/train.js';
import { loadDataset } from '../../dist/src/data/load.js';
import { methodOf } from '../../dist/src/methods/methods.js';
import { estimate, median } from '../../dist/src/scaling/bootstrap.js';
import { normalise } from '../../dist/src/training/config.js';

/**
 * A turn, and the turns of each side in a round. A round is as long as the steps between two looks at the
 * pseudo-labels.
 */
const TURN = 25;
const TURNS = 5;
/** What watching a run may cost at most, as a share of a step. */
const MOST_OVERHEAD = 0.02;
const [rounds = 8, workers = 2] = process.argv.slice(2).map(Number);

const folder = await mkdtemp(join(tmpdir(), 'pseudolabel-overhead-'));
const path = join(folder, 'run');
const config = normalise({
  scenario: 'pl',
  preset: 'best',
  strategy: 'data',
  workers,
  checkpointEvery: 1_000_000,
  checkpointSeconds: 0,
});
const run = resolveRun(config, await loadDataset());
const session = await openSession([run]);
const { local: node } = session;
const { dataset, stages, split } = run;
const stage = stages.findIndex(({ name }) => name === 'finetune');
const counts = { unlabelled: split.unlabelled.length, validation: 0, test: dataset.test?.count ?? 0 };

/** Milliseconds on the main thread by what they went to; what was done within counts there alone. */
const spent = { trace: 0, dashboard: 0, TensorBoard: 0, metrics: 0, looks: 0 };
let inner = 0;
function timed(what, work) {
  const outer = inner;
  const began = performance.now();
  inner = 0;
  try {
    return work();
  } finally {
    const milliseconds = performance.now() - began;
    spent[what] += milliseconds - inner;
    inner = outer + milliseconds;
  }
}

const calls = [];
const dashboard = new Dashboard({ host: '127.0.0.1', port: 0 }, path);
const watched = new TracedExecutor(node, (call) => {
  timed('trace', () => calls.push(call));
  timed('dashboard', () => dashboard.traced(call));
});
const dispatcherOf = (each) => new Dispatcher(each, config.shards, counts, strategiesFor(each, run, node));
const [bare, full] = [dispatcherOf(node), dispatcherOf(watched)];

const directory = await RunDirectory.create(path, config);
const maxSteps = Number.POSITIVE_INFINITY;
const page = await dashboard.begins({
  info: { name: 'overhead', title: 'Overhead' },
  stages,
  maxSteps,
  past: [],
  lostWorkers: () => full.health().lostWorkers,
});
get(new URL('/events', dashboard.url), (response) => response.resume());
const tensorBoard = new TensorBoard(path, stages, dataset.classNames, maxSteps, { stage: 0, step: 0 }, {});
const each = (what, listener) => ({
  ...listener,
  stageBegins: () => undefined,
  measured: (metric) => timed(what, () => listener.measured(metric)),
});
const listener = together([each('dashboard', page), each('TensorBoard', tensorBoard)]);
const { signal } = new AbortController();
const options = { directory, listener, signal, resumeFrom: undefined, validateEvery: 0, test: false };
const recorder = new Recorder(run, { ...session, dispatcher: full }, options);

const nothing = () => undefined;
const silent = {
  beforeStep: async () => undefined,
  stageBegins: nothing,
  afterLabelling: nothing,
  sharesChosen: nothing,
  afterStep: nothing,
};
const observing = {
  beforeStep: async (position) => {
    const began = performance.now();
    await recorder.beforeStep(position);
    spent.looks += performance.now() - began;
  },
  // A turn is no stage: the stage begins once.
  stageBegins: nothing,
  afterLabelling: (...told) => recorder.afterLabelling(...told),
  sharesChosen: (...told) => recorder.sharesChosen(...told),
  afterStep: (...told) => timed('metrics', () => recorder.afterStep(...told)),
};

const labelled = new LabelledSet(dataset.train, split.labelled);
const { method } = stages[stage];
const methodState = methodOf(method).begin(method, labelled.countsOf(dataset.classes));
const { steps } = stages[stage];
recorder.stageBegins(stages[stage], { stage, step: 0, methodState }, steps);

/** Milliseconds of the steps [first, end). */
async function turn(dispatcher, observer, first, end) {
  const training = { seed: 1, stages: [...stages.slice(0, stage), stages[stage]], labelled, maxSteps: end };
  const began = performance.now();
  await train(training, dispatcher, observer, { stage, step: first, methodState });
  return performance.now() - began;
}

async function round(number) {
  const sums = { bare: 0, full: 0 };
  const start = steps - TURN * TURNS;
  for (let t = 0; t < TURNS; t++) {
    const sides = { bare: [bare, silent], full: [full, observing] };
    const order = (t + number) % 2 ? ['bare', 'full'] : ['full', 'bare'];
    for (const side of order) sums[side] += await turn(...sides[side], start + t * TURN, start + (t + 1) * TURN);
  }
  return sums;
}

/** ms: of a step. parts: milliseconds of a step, by what they went to. */
function overheadLines(ms, { value, low, high }, parts) {
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const range = low === undefined ? '' : ` [${percent(low)}, ${percent(high)}]`;
  const step = `a step of ${ms.toFixed(1)} ms, ${workers} workers; ${rounds} rounds, 95 % interval`;
  // An interval that holds the limit says neither.
  const verdict =
    high < MOST_OVERHEAD ? 'yes' : low > MOST_OVERHEAD ? 'no' : 'not sure: the interval holds it; quieten the machine';
  const where = parts.map(([what, milliseconds]) => `${what} ${percent(milliseconds / ms)}`);
  return [
    `metrics, trace and dashboard together cost ${percent(value)}${range} of ${step}`,
    `under ${percent(MOST_OVERHEAD)}: ${verdict}`,
    `the main thread's time, as shares of a step: ${where.join(', ')}`,
  ];
}

try {
  await round(0); // caches, the heap and the compiled code get to where they stay
  for (const what of Object.keys(spent)) spent[what] = 0;
  const measured = [];
  for (let r = 1; r <= rounds; r++) measured.push(await round(r));
  const ratio = estimate(measured, (from) => median(from.map((sums) => sums.full / sums.bare)) - 1, 1);
  const perStep = (milliseconds) => milliseconds / (rounds * TURN * TURNS);
  const parts = Object.entries(spent).map(([what, milliseconds]) => [what, perStep(milliseconds)]);
  const ms = median(measured.map((sums) => sums.bare / (TURN * TURNS)));
  for (const line of overheadLines(ms, ratio, parts)) console.log(line);
} finally {
  await dashboard.close();
  await tensorBoard.close();
  await directory.flush();
  await session.close();
  await rm(folder, { recursive: true });
}
