// Tests that what cannot be computed is refused when a run's options are resolved, and not after the rounds that come
// before.
import { expect, it } from 'vitest';
import { resolveRun } from '../../../coordinator/runs/resolved-run.js';
import { loadDataset } from '../../../src/data/load.js';
import { normalise } from '../../../src/training/config.js';

const dataset = await loadDataset();
const resolve = (options: unknown) => () => resolveRun(normalise(options), dataset);

it('refuses a network whose features a later round cannot put into a graph, before the first round', () => {
  expect(resolve({ preset: 'modern', model: 'dense:5000', members: 1 })).toThrow(
    expect.objectContaining({
      code: 'E_CONFIG',
      message: expect.stringContaining('reads 5000 values'),
      fix: expect.stringContaining('graph.descriptors'),
    }),
  );
  expect(resolve({ preset: 'modern', model: 'dense:4096', members: 1 })).not.toThrow();
});
