// Tests that pseudo-labels do no harm if the classes are not equally frequent and nobody has said so. The data is a
// long tail made of real images. Runs have few hidden units and one seed, and are judged on validation images.
import { beforeAll, expect, it } from 'vitest';
import { openSession } from '../../coordinator/compose.js';
import { resolveRun } from '../../coordinator/runs/resolved-run.js';
import { runTraining } from '../../coordinator/runs/run.js';
import { type Dataset, datasetOf, type ImageSet } from '../../src/data/dataset.js';
import { ImageStore } from '../../src/data/image-store.js';
import { loadDataset } from '../../src/data/load.js';
import type { SharesChoice } from '../../src/methods/class-balance.js';
import { normalise } from '../../src/training/config.js';

const CONFIG = normalise({ hidden: 500, split: 'random', splitSeed: 1, validation: 2000 });

/** The number of images of class k is 3000 * 0.55^k, from 3,000 to 13. */
const FIRST_CLASS = 3000;
const RATIO = 0.55;

/** A deadline against hangs only. */
const DEADLINE_MS = 3_600_000;

const accuracies: Partial<Record<'drop' | 'pl', number>> = {};
/** The class shares of the run pl. */
let classShares: SharesChoice | undefined;

/** Returns the first images of each class, as many as its share of the tail allows. */
function tailOf({ images, labels }: ImageSet, classes: number): ImageSet {
  const left = Array.from({ length: classes }, (_, k) => Math.floor(FIRST_CLASS * RATIO ** k));
  const rows = Array.from(labels.keys()).filter((row) => left[labels[row]!]!-- > 0);
  const kept = ImageStore.from(images.gather(rows), images.pixels);
  return { count: rows.length, images: kept, labels: Uint16Array.from(rows, (row) => labels[row]!) };
}

beforeAll(async () => {
  const mnist = await loadDataset();
  const train = tailOf(mnist.train, mnist.classes);
  const tail: Dataset = datasetOf({ ...mnist, name: 'long-tail', train, test: undefined });
  const { signal } = new AbortController();
  const options = { directory: undefined, listener: {}, signal, resumeFrom: undefined, validateEvery: 0 };
  const runOf = (scenario: 'drop' | 'pl') => resolveRun({ ...CONFIG, scenario }, tail);
  const session = await openSession([runOf('pl')]);
  try {
    for (const scenario of ['drop', 'pl'] as const) {
      const result = await runTraining(runOf(scenario), session, { ...options, test: false });
      accuracies[scenario] = 100 * result.validationAccuracy!;
      classShares = result.classShares;
    }
  } finally {
    await session.close();
  }
}, DEADLINE_MS);

it('pseudo-labels do not make a network worse on a long tail (case 2)', () => {
  expect(accuracies.pl, JSON.stringify(accuracies)).toBeGreaterThan(accuracies.drop!);
});

it('the shares of its classes are found, not assumed (case 2)', () => {
  expect(classShares!.source).toBe('estimate');
  const { shares } = classShares!;
  expect(
    shares.slice(0, 3).every((share, c) => share > shares[c + 1]!),
    shares.join(' '),
  ).toBe(true);
});
