// The fine-tune step that the benchmarks measure, as the peers have it: 784-5000-10, Adam, dropout 0.2 and 0.5, 32
// labelled and 256 pseudo-labelled rows of real MNIST.

import { LabelledSet } from '../../dist/coordinator/labelled-set.js';
import { resolveRun } from '../../dist/coordinator/runs/resolved-run.js';
import { loadDataset } from '../../dist/src/data/load.js';
import { labelledBatch } from '../../dist/src/data/sampling.js';
import { initialParameters } from '../../dist/src/models/models.js';
import { normalise } from '../../dist/src/training/config.js';
import { classifier } from '../../dist/src/training/presets/shared.js';

/** Pseudo-labels as they were stored, all of which count. */
const STORED = {
  method: 'pseudo-label',
  settings: { threshold: 0 },
  pseudoLabels: 'stored',
  logitShift: undefined,
  masses: 'plain',
  noise: 0,
};

/** A run on MNIST. @param {object} options of its config */
export async function resolved(options) {
  const config = normalise({ scenario: 'pl', preset: 'report', ...options });
  return resolveRun(config, await loadDataset());
}

/**
 * Writes the first parameters.
 * @returns the model, and a function that does the step of a number
 */
export function fineTune({ dataset, split, task }, dispatcher) {
  const model = classifier(task, true, 'softmax');
  const labelled = new LabelledSet(dataset.train, split.labelled);
  dispatcher.write({ parameters: initialParameters(model, 1, 0) });
  const step = (number) =>
    dispatcher.step({
      model,
      seed: 1,
      stage: 0,
      step: number,
      // Always 32: the last batch of an epoch is left out.
      labelled: labelled.rows(labelledBatch({ seed: 1, stage: 0, count: 96, batch: 32 }, number)),
      unlabelled: { ...STORED, batch: 256, factor: 3 },
      optimizer: { kind: 'adam', rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t: number + 1 },
    });
  return { model, step };
}

/** Has `tell` called after each call of a method, with its milliseconds and what it resolved to. */
export function watch(object, method, tell) {
  const call = object[method].bind(object);
  object[method] = async (...args) => {
    const began = performance.now();
    const result = await call(...args);
    tell(performance.now() - began, result);
    return result;
  };
}

/**
 * Has `tell` called after each of a step's two phases, gradients and update, or forward and backward pass, with its
 * name, its milliseconds and what it resolved to.
 */
export function watchPhases(executor, tell) {
  for (const [first, second] of [
    ['gradients', 'update'],
    ['forward', 'backward'],
  ]) {
    const begin = executor[first].bind(executor);
    executor[first] = async (...args) => {
      const began = performance.now();
      const found = await begin(...args);
      tell(first, performance.now() - began, found);
      const watched = { [second]: found[second].bind(found) };
      watch(watched, second, (milliseconds, results) => tell(second, milliseconds, results));
      return Object.assign(Object.create(found), watched);
    };
  }
}
