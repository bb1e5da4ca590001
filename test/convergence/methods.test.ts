// Tests that every method is better than labels alone, also on augmented images. Runs have few hidden units, real
// images and one seed, and are judged on validation images. On a long tail that nobody has declared, no method is
// worse. The margins are the differences of these runs, less some points for other processors.
import { beforeAll, expect, it } from 'vitest';
import { openSession } from '../../coordinator/compose.js';
import { resolveRun } from '../../coordinator/runs/resolved-run.js';
import { runTraining } from '../../coordinator/runs/run.js';
import { type Dataset, datasetOf, type ImageSet } from '../../src/data/dataset.js';
import { ImageStore } from '../../src/data/image-store.js';
import { loadDataset } from '../../src/data/load.js';
import { normalise } from '../../src/training/config.js';
import type { METHOD_CHOICES } from '../../src/training/presets/with-method.js';

const CONFIG = normalise({ hidden: 200, split: 'random', splitSeed: 101, validation: 2000, strategy: 'data' });
/** The steps of each stage. The beginning of its schedules is unchanged. */
const STEPS = 1200;
const RATIO = 0.6;
const FIRST_CLASS = 3000;

/** A deadline against hangs only. */
const DEADLINE_MS = 3_600_000;

type Method = (typeof METHOD_CHOICES)[number];
type Accuracies = Partial<Record<Method, number>>;
const METHODS: readonly Method[] = ['fixmatch', 'freematch', 'mean-teacher', 'label-propagation'];

/** Returns a long tail: class k has 3000 * 0.6^k images. */
function tailOf({ images, labels }: ImageSet, classes: number): ImageSet {
  const left = Array.from({ length: classes }, (_, k) => Math.floor(FIRST_CLASS * RATIO ** k));
  const rows = Array.from(labels.keys()).filter((row) => left[labels[row]!]!-- > 0);
  const kept = ImageStore.from(images.gather(rows), images.pixels);
  return { count: rows.length, images: kept, labels: Uint16Array.from(rows, (row) => labels[row]!) };
}

/**
 * Returns accuracies on validation images, in per cent. supervised: trained on images that are augmented like the
 * others'.
 */
async function accuraciesOn(dataset: Dataset, methods: readonly Method[]): Promise<Accuracies> {
  const runOf = (method: Method) =>
    resolveRun({ ...CONFIG, method, maxSteps: STEPS, ...(method === 'supervised' && { augment: 'digits' }) }, dataset);
  const session = await openSession([runOf('mean-teacher'), ...methods.map(runOf)]);
  const { signal } = new AbortController();
  const options = { directory: undefined, listener: {}, signal, resumeFrom: undefined, validateEvery: 0, test: false };
  const accuracies: Accuracies = {};
  try {
    for (const method of ['supervised', ...methods] as const)
      accuracies[method] = 100 * (await runTraining(runOf(method), session, options)).validationAccuracy!;
    return accuracies;
  } finally {
    await session.close();
  }
}

let even: Accuracies = {};
let tail: Accuracies = {};
beforeAll(async () => {
  const mnist = await loadDataset();
  const few = { ...mnist.train, count: 12_000, labels: mnist.train.labels.subarray(0, 12_000) };
  const rows = Uint32Array.from({ length: few.count }, (_, row) => row);
  const images = ImageStore.from(mnist.train.images.gather(rows), mnist.train.images.pixels);
  even = await accuraciesOn(datasetOf({ ...mnist, name: 'few', train: { ...few, images }, test: undefined }), METHODS);
  const train = tailOf(mnist.train, mnist.classes);
  tail = await accuraciesOn(datasetOf({ ...mnist, name: 'long-tail', train, test: undefined }), METHODS);
  console.log(JSON.stringify({ even, tail }));
}, DEADLINE_MS);

it.each(METHODS)('%s is better than labels alone by some points', (method) => {
  expect(even[method], JSON.stringify(even)).toBeGreaterThan(even.supervised! + 2);
});

it.each(METHODS)('%s is not worse on a long tail that nobody has told it of', (method) => {
  expect(tail[method], JSON.stringify(tail)).toBeGreaterThan(tail.supervised!);
});
