// Tests a data set with more classes than a byte can number, in several blocks of memory, with some images held out for
// validation. The weights are the same on threads, on a node, and after a checkpoint. They are also those of a run
// whose images were split by hand.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSession, openThreads, strategiesFor } from '../../coordinator/compose.js';
import { Dispatcher } from '../../coordinator/dispatcher.js';
import type { RunListener } from '../../coordinator/runs/recorder.js';
import { countsOf, type ResolvedRun, resolveRun, type Session } from '../../coordinator/runs/resolved-run.js';
import { earlierRun, newRun } from '../../coordinator/runs/resume.js';
import { runTraining } from '../../coordinator/runs/run.js';
import { type Dataset, datasetOf, UNKNOWN } from '../../src/data/dataset.js';
import { keyOf, Stream } from '../../src/random.js';
import { normalise } from '../../src/training/config.js';
import type { StrategyName } from '../../src/training/strategy-choice.js';
import { testCluster } from '../contract/test-cluster.js';
import { folderOfFile } from '../folders.js';
import { storeOf } from '../images.js';

const folder = folderOfFile('many-classes');
const [CLASSES, EACH, PIXELS] = [300, 6, 36];
const silent: RunListener = {};

/**
 * Makes images of a class from its pattern with noise; two of each class have a label. blockBytes: the block size of
 * its memory.
 */
function datasetIn(blockBytes: number): Dataset {
  const random = new Stream(keyOf(4, 'split', 1));
  const patterns = Array.from({ length: CLASSES }, () => Uint8Array.from({ length: PIXELS }, () => random.below(200)));
  const count = CLASSES * EACH;
  const imageOf = (i: number) => patterns[i % CLASSES]!.map((pixel) => pixel + random.below(56));
  const images = storeOf(Buffer.concat(Array.from({ length: count }, (_, i) => imageOf(i))), PIXELS, blockBytes);
  return datasetOf({
    name: 'many',
    height: 6,
    width: 6,
    channels: 1,
    classNames: Array.from({ length: CLASSES }, (_, each) => `class ${each}`),
    train: {
      count,
      images,
      labels: Uint16Array.from({ length: count }, (_, i) => (i < 2 * CLASSES ? i % CLASSES : UNKNOWN)),
    },
    test: undefined,
  });
}

const DATASET = datasetIn(100 * PIXELS);

/** A run in which alpha(t) is above 0 from step 67 on, and pseudo-labels are held to shares. */
const runOf = (strategy: StrategyName, dataset = DATASET): ResolvedRun => {
  const options = { scenario: 'pl', quick: true, hidden: 96, maxSteps: 80, workers: 2, shards: 3 } as const;
  return resolveRun(normalise({ ...options, strategy, validation: 40 }), dataset);
};

async function weightsOf(run: ResolvedRun, session: Session): Promise<string> {
  const { signal } = new AbortController();
  const options = { directory: undefined, resumeFrom: undefined, listener: silent, signal, validateEvery: 0 };
  return (await runTraining(run, session, { ...options, test: false })).weightsSha256;
}

async function onThreads(run: ResolvedRun): Promise<string> {
  const session = await openSession([run]);
  return weightsOf(run, session).finally(() => session.close());
}

const expected = new Map<StrategyName, Promise<string>>();
function expectedOf(strategy: StrategyName): Promise<string> {
  const found = expected.get(strategy) ?? onThreads(runOf(strategy));
  expected.set(strategy, found);
  return found;
}

const STRATEGIES = ['data', 'tensor'] as const;

it.each(STRATEGIES)('a node ends on the weights of threads: %s', async (strategy) => {
  const run = runOf(strategy);
  const threads = await openThreads([run]);
  const { shape, images } = threads.arena;
  const { cluster } = await testCluster({ shape, images }, { local: 1, remotes: [1], fetchEvery: 5 });
  try {
    const dispatcher = new Dispatcher(cluster, run.config.shards, countsOf(run), strategiesFor(cluster, run, threads));
    const session = { dispatcher, local: threads, numerics: 'of tests', close: () => cluster.close() };
    expect(await weightsOf(run, session)).toBe(await expectedOf(strategy));
  } finally {
    await cluster.close();
    await threads.close();
  }
});

it.each(STRATEGIES)('a run goes on from its checkpoint to the same weights: %s', async (strategy) => {
  const run = runOf(strategy);
  const session = await openSession([run]);
  const path = join(folder, strategy);
  const stop = new AbortController();
  const perClass: number[] = [];
  const listener: RunListener = {
    measured(metric) {
      if (metric.kind === 'step' && metric.step === 72) stop.abort();
      if (metric.kind === 'labels') perClass.splice(0, CLASSES, ...metric.perClass);
    },
  };
  const rest = { listener, validateEvery: 20, test: false };
  try {
    const begun = runTraining(run, session, { ...(await newRun(run, path)), ...rest, signal: stop.signal });
    await expect(begun).rejects.toMatchObject({ code: 'E_INTERRUPTED' });
    const opened = await earlierRun(run, session.numerics, path, undefined, false);
    expect(opened.resumeFrom!.step).toBe(73);
    const { signal } = new AbortController();
    const { weightsSha256 } = await runTraining(run, session, { ...opened, ...rest, signal });
    expect(weightsSha256).toBe(await expectedOf(strategy));
    // A byte would confuse these classes with others.
    expect(perClass.slice(256).some((images) => images > 0)).toBe(true);
  } finally {
    await session.close();
  }
});

it('the weights do not depend on the blocks of memory that the images lie in, nor on rows that lead to them', async () => {
  expect(await onThreads(runOf('data', datasetIn(2 ** 20)))).toBe(await expectedOf('data'));
  const run = runOf('data');
  const { dataset, split } = run;
  const { train } = dataset;
  // The training images come first, and the validation images after them. So no row numbers are needed.
  const order = Uint32Array.of(...split.unlabelled, ...split.validation);
  const placeOf = new Map(Array.from(order, (row, place) => [row, place]));
  const images = storeOf(train.images.gather(order), PIXELS);
  const labels = Uint16Array.from(order, (row) => train.labels[row]!);
  const places = (rows: Uint32Array) => Uint32Array.from(rows, (row) => placeOf.get(row)!);
  const byHand: ResolvedRun = {
    ...run,
    dataset: { ...dataset, train: { ...train, images, labels } },
    split: {
      labelled: places(split.labelled),
      unlabelled: places(split.unlabelled),
      validation: places(split.validation),
    },
  };
  expect(split.unlabelled.at(-1)).not.toBe(split.unlabelled.length - 1);
  expect(await onThreads(byHand)).toBe(await expectedOf('data'));
});
