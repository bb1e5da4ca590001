// Tests that each scenario is better than the one before it on real images. Runs have few hidden units and fixed seeds,
// and are judged on validation images. The margins are the differences of these runs, less some points for other
// processors, whose bits and accuracies differ a little.
import { beforeAll, expect, it } from 'vitest';
import { openSession } from '../../coordinator/compose.js';
import { resolveRun } from '../../coordinator/runs/resolved-run.js';
import { runTraining } from '../../coordinator/runs/run.js';
import { loadDataset } from '../../src/data/load.js';
import { normalise } from '../../src/training/config.js';
import { SCENARIOS, type Scenario } from '../../src/training/scenario.js';

const CONFIG = normalise({ hidden: 500, split: 'random', splitSeed: 1030, validation: 10_000 });

/** A deadline against hangs only: four trainings, while others may use the processors too. */
const DEADLINE_MS = 3_600_000;

/** The accuracies on the validation images, in per cent. */
const accuracies: Partial<Record<Scenario, number>> = {};

beforeAll(async () => {
  const dataset = await loadDataset();
  const runOf = (scenario: Scenario) => resolveRun({ ...CONFIG, scenario }, dataset);
  const session = await openSession([runOf('dae'), runOf('nn')]);
  const { signal } = new AbortController();
  const options = { directory: undefined, listener: {}, signal, resumeFrom: undefined, validateEvery: 0 };
  try {
    for (const scenario of SCENARIOS) {
      const result = await runTraining(runOf(scenario), session, { ...options, test: false });
      accuracies[scenario] = 100 * result.validationAccuracy!;
    }
  } finally {
    await session.close();
  }
}, DEADLINE_MS);

it('dropout does not make a network of few labels worse', () => {
  expect(accuracies.drop).toBeGreaterThan(accuracies.nn! - 1.5);
});

it('pseudo-labels make it better by many points', () => {
  expect(accuracies.pl, JSON.stringify(accuracies)).toBeGreaterThan(accuracies.drop! + 5);
});

it('a denoising autoencoder before it does not make it worse', () => {
  expect(accuracies.dae, JSON.stringify(accuracies)).toBeGreaterThan(accuracies.pl! - 0.5);
});
