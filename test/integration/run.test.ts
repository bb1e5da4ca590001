// Tests what a run keeps for reports, and that watching a run does not change it.
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { openSession } from '../../coordinator/compose.js';
import { FaultyExecutor } from '../../coordinator/executors/faulty-executor.js';
import { LabelledSet } from '../../coordinator/labelled-set.js';
import { readRun } from '../../coordinator/report.js';
import { Recorder, type RunListener } from '../../coordinator/runs/recorder.js';
import { type ResolvedRun, resolveRun } from '../../coordinator/runs/resolved-run.js';
import { earlierRun, newRun } from '../../coordinator/runs/resume.js';
import { runTraining } from '../../coordinator/runs/run.js';
import { train } from '../../coordinator/train.js';
import { saveCheckpoint } from '../../src/checkpoint/checkpoint.js';
import { sha256OfParameters } from '../../src/checksum.js';
import { loadDataset } from '../../src/data/load.js';
import { numericsFingerprint } from '../../src/models/fingerprint.js';
import { normalise, type Options } from '../../src/training/config.js';
import { folderOfFile } from '../folders.js';
import { listener } from './training.js';

const folder = folderOfFile('run');

const silent: RunListener = {};
const dataset = await loadDataset();
const runOf = (options: Options): ResolvedRun => resolveRun(normalise(options), dataset);

/** A run in which alpha(t) is above 0 from step 67 on. */
const RUN = runOf({ scenario: 'dae', quick: true, hidden: 32, maxSteps: 90, workers: 2, shards: 3 });

/** Runs the loop without a listener. */
async function unwatched(run: ResolvedRun): Promise<string> {
  const session = await openSession([run]);
  const { config, split, stages, maxSteps } = run;
  try {
    const { dispatcher } = session;
    const labelled = new LabelledSet(dataset.train, split.labelled);
    await train({ seed: config.seed, stages, labelled, maxSteps }, dispatcher, listener(), undefined);
    return sha256OfParameters((await dispatcher.read(stages.at(-1)!.model)).parameters);
  } finally {
    await session.close();
  }
}

it('a run whose pseudo-labels are looked at and judged ends on the weights of one that nobody looks at', async () => {
  const session = await openSession([RUN]);
  const path = join(folder, 'watched');
  try {
    const opened = await newRun(RUN, path);
    const signal = new AbortController().signal;
    const result = await runTraining(RUN, session, {
      ...opened,
      listener: silent,
      signal,
      validateEvery: 0,
      test: true,
    });
    expect(result.weightsSha256).toBe(await unwatched(RUN));
  } finally {
    await session.close();
  }

  const run = await readRun(path);
  const looks = run.metrics.filter((metric) => metric.kind === 'labels');
  expect(looks.map(({ step }) => step)).toEqual(Array.from({ length: 19 }, (_, look) => look * 5));
  for (const { perClass, confidences, truth } of looks) {
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    // 1,000 in three shards; none of the first ten of each class is among the last of a shard
    expect([perClass, confidences, truth!.images].map(sum)).toEqual([1002, 1002, 1002]);
    expect(truth!.right.every((right, each) => right <= truth!.images[each]!)).toBe(true);
  }
  expect(run.reconstructions!.images).toHaveLength(10);
  const [surest, ...others] = run.mistakes!.images.map(({ confidence }) => confidence);
  expect(others.every((confidence) => confidence <= surest!)).toBe(true);
  expect(run.mistakes!.images.every(({ label, predicted }) => label !== predicted)).toBe(true);
});

it('a run is saved by the clock too, also a short one, and ends on the same weights (case 29)', async () => {
  const resolved = runOf({ scenario: 'pl', quick: true, hidden: 32, maxSteps: 12, workers: 1 });
  const { config } = resolved;
  const session = await openSession([resolved]);
  const { signal } = new AbortController();
  const run = async (name: string, checkpointSeconds: number) => {
    let seconds = 0; // Each step takes twenty.
    const saved: string[] = [];
    const listener: RunListener = {
      ...silent,
      measured: ({ kind, step }) => {
        if (kind === 'step') seconds = 20 * (step + 1);
      },
      saved: (path) => saved.push(basename(path, '.plck')),
    };
    const opened = await newRun(resolved, join(folder, name));
    const options = { ...opened, listener, signal, validateEvery: 0, test: false, now: () => 1000 * seconds };
    const { weightsSha256 } = await runTraining(
      { ...resolved, config: { ...config, checkpointSeconds } },
      session,
      options,
    );
    return { weightsSha256, saved };
  };
  try {
    const byClock = await run('by-clock', config.checkpointSeconds);
    const bySteps = await run('by-steps', 0);
    expect(config.checkpointSeconds).toBeLessThan(60);
    expect(byClock.saved).toEqual([3, 6, 9].map((step) => `checkpoint-00-0000000${step}`));
    expect(bySteps).toEqual({ ...byClock, saved: [] });
  } finally {
    await session.close();
  }
});

it('a long search for neighbours tells how far it is, and is stopped with a checkpoint of before the step', async () => {
  const resolved = runOf({ scenario: 'nn', hidden: 32, maxSteps: 3, workers: 1 });
  const session = await openSession([resolved]);
  const stop = new AbortController();
  const told: number[] = [];
  const saved: string[] = [];
  const listener: RunListener = {
    searching: (_, { done }) => told.push(done),
    saved: (path) => saved.push(basename(path)),
  };
  try {
    const opened = await newRun(resolved, join(folder, 'searching'));
    const options = { ...opened, listener, signal: stop.signal, validateEvery: 0, test: false };
    const recorder = new Recorder(resolved, session, options);
    const position = { stage: 0, step: 2, methodState: {} };
    const progress = { images: 1_000_000, done: 0.05, secondsLeft: 1800 };
    await recorder.searching(position, progress);
    stop.abort();
    await expect(recorder.searching(position, progress)).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
    expect([told, saved]).toEqual([[0.05], ['checkpoint-00-00000002.plck']]);
    await opened.directory!.close();
  } finally {
    await session.close();
  }
});

it('a run counts the workers that it lost itself, not those of a run before in the same session', async () => {
  const resolved = runOf({ scenario: 'nn', hidden: 32, maxSteps: 3, workers: 1 });
  const session = await openSession([resolved], undefined, (executor) => new FaultyExecutor(executor, new Set([0])));
  const run = async (name: string) => {
    const opened = await newRun(resolved, join(folder, name));
    const { signal } = new AbortController();
    return runTraining(resolved, session, { ...opened, listener: silent, signal, validateEvery: 0, test: false });
  };
  try {
    const [first, second] = [await run('first'), await run('second')];
    expect([first.lostWorkers, second.lostWorkers]).toEqual([1, 0]);
    expect(second.weightsSha256).toBe(first.weightsSha256);
  } finally {
    await session.close();
  }
});

it('a run goes on where other bits are computed only if it is told to, and its machine is named by what it computes (case 9)', async () => {
  const resolved = runOf({ scenario: 'nn', hidden: 32, maxSteps: 3, workers: 1, checkpointEvery: 2 });
  const session = await openSession([resolved]);
  const path = join(folder, 'elsewhere');
  const { signal } = new AbortController();
  try {
    const opened = await newRun(resolved, path);
    await runTraining(resolved, session, { ...opened, listener: silent, signal, validateEvery: 0, test: false });
    const { numerics } = JSON.parse(await readFile(join(path, 'machine.json'), 'utf8')) as { numerics: string };
    expect(numerics).toBe(numericsFingerprint());
    const goingOn = (there: string, allowMixed: boolean) => earlierRun(resolved, there, path, undefined, allowMixed);
    const { resumeFrom, directory } = await goingOn(numerics, false);
    await directory.close();
    await expect(goingOn('other', false)).rejects.toMatchObject({ code: 'E_NUMERICS' });
    const mixed = await goingOn('other', true);
    await mixed.directory.close();
    expect(mixed).toMatchObject({ resumeFrom });
    // The checkpoint is complete and names this run, but its arrays would overwrite what follows the run's own.
    const { state, ...rest } = resumeFrom!;
    const longer = new Float32Array(state.parameters.length + 16);
    const swollen = { ...state, parameters: longer, firstMoment: longer, secondMoment: longer };
    const file = await saveCheckpoint(join(folder, 'swollen'), { ...rest, state: swollen }, 1);
    await expect(earlierRun(resolved, numerics, path, file, false)).rejects.toMatchObject({
      code: 'E_CHECKPOINT_DAMAGED',
    });
  } finally {
    await session.close();
  }
});

it('the files that make tasks and do them know nothing of the true labels that reports are judged by', async () => {
  for (const file of [
    'coordinator/dispatcher.ts',
    'coordinator/train.ts',
    'worker/thread-executor.ts',
    'worker/thread-entry.ts',
  ]) {
    const source = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
    expect(source, file).not.toMatch(/evidence|TrueLabels/);
  }
});
