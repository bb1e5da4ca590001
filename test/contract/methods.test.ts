// Tests every method on dense networks and on layers. The weights are the same on threads, on nodes of which one is
// lost, on ranks, and after a resume. All numbers stay finite even if the images, the classes or their number leave
// nothing to learn.
import { describe, expect, it } from 'vitest';
import { openSession, openThreads, strategiesFor } from '../../coordinator/compose.js';
import { Dispatcher } from '../../coordinator/dispatcher.js';
import { LabelledSet } from '../../coordinator/labelled-set.js';
import { networkFor } from '../../coordinator/runs/network.js';
import { countsOf, type ResolvedRun, resolveRun } from '../../coordinator/runs/resolved-run.js';
import { type Position, train } from '../../coordinator/train.js';
import { sha256OfParameters } from '../../src/checksum.js';
import { type Dataset, datasetOf, UNKNOWN } from '../../src/data/dataset.js';
import { keyOf, Stream } from '../../src/random.js';
import { normalise, type Options } from '../../src/training/config.js';
import type { Executor, TrainingState } from '../../src/training/executor.js';
import { METHOD_CHOICES } from '../../src/training/presets/with-method.js';
import { storeOf } from '../images.js';
import { listener } from '../integration/training.js';
import { jobOf } from './mpi-job.js';
import { testCluster } from './test-cluster.js';

const [SIDE, STEPS] = [12, 6];

/**
 * Makes images of a class from its pattern with noise; the first `known` have a label. pixelOf: returns other values
 * for the pixels.
 */
function datasetWith(count: number, classes: number, known: number, pixelOf?: () => number): Dataset {
  const pixels = SIDE * SIDE;
  const random = new Stream(keyOf(4, 'split', 1));
  const patterns = Array.from({ length: classes }, () => Uint8Array.from({ length: pixels }, () => random.below(200)));
  const imageOf = (i: number) => patterns[i % classes]!.map((pixel) => pixelOf?.() ?? pixel + random.below(56));
  return datasetOf({
    name: 'patterns',
    height: SIDE,
    width: SIDE,
    channels: 1,
    classNames: Array.from({ length: classes }, (_, each) => `class ${each}`),
    train: {
      count,
      images: storeOf(Buffer.concat(Array.from({ length: count }, (_, i) => imageOf(i))), pixels),
      labels: Uint16Array.from({ length: count }, (_, i) => (i < known ? i % classes : UNKNOWN)),
    },
    test: undefined,
  });
}

const PATTERNS = datasetWith(120, 3, 12);

type Choice = (typeof METHOD_CHOICES)[number];

/**
 * Pseudo-labels count from the second step on, whatever their confidence; before it, shares are estimated. Other
 * settings are the method's defaults.
 */
const NUMBERS: Readonly<Partial<Record<Choice, object>>> = {
  'pseudo-label': { threshold: 0.2 },
  fixmatch: { threshold: 0.2, temperature: 0.5, augment: { weak: { shift: 1 } } },
  freematch: { momentum: 0.8 },
  'mean-teacher': { threshold: 0.2 },
  'label-propagation': { refresh: 2, graph: GRAPH() },
};

function GRAPH() {
  return {
    descriptors: [{ kind: 'pixels', components: 4 }],
    neighbours: 3,
    spread: { alpha: 0.9, iterations: 10 },
  };
}

async function runOf(method: Choice, options: Options = {}, dataset = PATTERNS): Promise<ResolvedRun> {
  const config = normalise({ method, hidden: 32, shards: 3, maxSteps: STEPS, workers: 2, ...options });
  const run = resolveRun(config, dataset, await networkFor(config, dataset));
  const { augment, ...numbers }: { augment?: object } = NUMBERS[method] ?? {};
  const alpha = { t1: 1, t2: 3, final: 1, every: 1 };
  const stages = run.stages.map((stage) => ({
    ...stage,
    labelledBatch: 8,
    method: { ...stage.method, ...(method !== 'supervised' && { batch: 24, alpha }), ...numbers },
    ...(stage.average !== undefined && { average: 0.8 }),
    ...(stage.augment && { augment: { ...stage.augment, ...augment } }),
  })) as unknown as ResolvedRun['stages'];
  // A file of stages has this form.
  const shaped = { ...config, preset: 'custom' as const, method: undefined, stages };
  return resolveRun(shaped, dataset, await networkFor(shaped, dataset));
}

/**
 * Returns the weights at the end of a run, and how many unlabelled rows have counted. beforeStep: is called before each
 * step.
 */
async function weightsOf(
  run: ResolvedRun,
  dispatcher: Dispatcher,
  beforeStep: (position: Position) => Promise<void> = async () => undefined,
  from?: Position,
): Promise<Float32Array & { counted?: number }> {
  const { config, dataset, split, stages, maxSteps } = run;
  const { height, width, channels } = dataset;
  const labelled = new LabelledSet(dataset.train, split.labelled);
  const images = { height, width, channels };
  const training = { seed: config.seed, stages, maxSteps, labelled, images, unlabelled: split.unlabelled };
  let counted = 0;
  const afterStep = (_stage: unknown, _step: number, outcome: { readonly counted: number }) => {
    counted += outcome.counted;
  };
  await train(training, dispatcher, listener({ beforeStep, afterStep }), from);
  const { parameters } = await dispatcher.read(stages.at(-1)!.model);
  return Object.assign(parameters, { counted });
}

async function onThreads(run: ResolvedRun, before?: (position: Position) => Promise<void>) {
  const session = await openSession([run]);
  return weightsOf(run, session.dispatcher, before).finally(() => session.close());
}

/** Gives the images of a run to executors of tests. */
async function withContent<T>(
  run: ResolvedRun,
  use: (content: Parameters<typeof testCluster>[0], dispatcherOf: (executor: Executor) => Dispatcher) => Promise<T>,
): Promise<T> {
  const threads = await openThreads([run]);
  const { shape, images } = threads.arena;
  const dispatcherOf = (executor: Executor) =>
    new Dispatcher(executor, run.config.shards, countsOf(run), strategiesFor(executor, run, threads));
  return use({ shape, images }, dispatcherOf).finally(() => threads.close());
}

const MODELS: readonly (readonly [string, Options])[] = [
  ['a dense network', {}],
  ['a convolutional network', { model: 'convnet' }],
];

describe.each(METHOD_CHOICES)('the method %s', (method) => {
  describe.each(MODELS)('of %s', (_, model) => {
    it('ends on the same weights with 1, 2 and 3 workers, resumed, on nodes of which one is lost, and on ranks', async () => {
      const run = await runOf(method, { ...model, workers: 1 });
      const alone = await onThreads(run);
      const expected = sha256OfParameters(alone);
      expect(alone.counted! > 0).toBe(method !== 'supervised');
      for (const workers of [2, 3])
        expect(sha256OfParameters(await onThreads(await runOf(method, { ...model, workers }))), `${workers}`).toBe(
          expected,
        );

      const session = await openSession([run]);
      try {
        const saved: { position: Position; state: TrainingState }[] = [];
        await weightsOf(run, session.dispatcher, async (position) => {
          saved.push({ position, state: await session.dispatcher.read(run.stages[0]!.model) });
        });
        for (const { position, state } of [saved[1]!, saved[4]!]) {
          session.dispatcher.write(state);
          const again = await weightsOf(run, session.dispatcher, undefined, structuredClone(position));
          expect(sha256OfParameters(again), `from step ${position.step}`).toBe(expected);
        }
      } finally {
        await session.close();
      }

      await withContent(run, async (content, dispatcherOf) => {
        const { cluster, nodes, log } = await testCluster(content, { local: 1, remotes: [1, 1] });
        try {
          const lose = async ({ step }: Position) => {
            if (step === 3) nodes[0]!.link.cut();
          };
          expect(sha256OfParameters(await weightsOf(run, dispatcherOf(cluster), lose)), 'nodes').toBe(expected);
          expect(log.some((line) => line.startsWith('-node '))).toBe(true);
        } finally {
          await cluster.close();
        }
        const job = await jobOf(content, [{ workers: 1 }, { workers: 1 }]);
        try {
          expect(sha256OfParameters(await weightsOf(run, dispatcherOf(job.ranks))), 'ranks').toBe(expected);
        } finally {
          await job.end();
        }
      });
    });
  });

  const BARREN: readonly (readonly [string, Dataset, Options])[] = [
    ['black images', datasetWith(40, 3, 9, () => 0), {}],
    ['white images', datasetWith(40, 3, 9, () => 255), {}],
    ['two images', datasetWith(2, 2, 2), { shards: 1 }],
    ['two classes, of which one has a single label', datasetWith(30, 2, 3), {}],
  ];
  it.each(BARREN)('is finite on %s', async (_, dataset, options) => {
    for (const [, model] of MODELS) {
      const weights = await onThreads(await runOf(method, { ...model, ...options }, dataset));
      expect(weights.every(Number.isFinite)).toBe(true);
    }
  });

  it('is refused where all labels are of one class', async () => {
    await expect(runOf(method, {}, datasetWith(30, 1, 3))).rejects.toMatchObject({ code: 'E_DATA_CLASSES' });
  });
});
