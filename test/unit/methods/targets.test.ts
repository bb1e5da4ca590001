// Tests how every method sets the targets and weights of a step's rows.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { outcomeOf } from '../../../coordinator/strategies/strategy.js';
import type { LabelPropagationSettings } from '../../../src/methods/label-propagation.js';
import type { Prediction, UnlabelledRows } from '../../../src/methods/method.js';
import { METHODS, type MethodSettings, methodNamed, methodOf } from '../../../src/methods/methods.js';
import { lossSums, NO_PREDICTION, setTargets, storedPrediction } from '../../../src/methods/targets.js';

const ROWS: UnlabelledRows = {
  batch: 4,
  factor: 2,
  method: 'pseudo-label',
  settings: { threshold: 0.5 },
  pseudoLabels: 'stored',
  logitShift: undefined,
  masses: 'plain',
  noise: 0,
};
const [CLASSES, STRIDE] = [3, 8];
const LABELS = Uint16Array.of(2, 0);
const STORED = storedPrediction(Uint32Array.of(1, 0), {
  classes: Uint16Array.of(0, 1, 2),
  confidences: Float32Array.of(0.4, 0.5, 1),
});

/** Sets targets over earlier values. */
function setBy(unlabelled: UnlabelledRows | undefined, prediction: Prediction, terms = 1) {
  const places = {
    targets: new Float32Array(CLASSES * STRIDE).fill(9),
    weights: new Float32Array(STRIDE).fill(9),
  };
  const taught = setTargets({ labels: LABELS, labelledBatch: 4, unlabelled, terms }, prediction, places);
  const targetsOf = (row: number) => Array.from({ length: CLASSES }, (_, c) => places.targets[c * STRIDE + row]);
  return { ...taught, weights: [...places.weights], rows: Array.from({ length: STRIDE }, (_, row) => targetsOf(row)) };
}

const NONE = [0, 0, 0];

describe('targets', () => {
  it('are the labels, then the pseudo-labels, of which those below the threshold weigh nothing', () => {
    const { rows, weights, counts, areInputs } = setBy(ROWS, STORED);
    expect(rows).toEqual([[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0], NONE, NONE, NONE, NONE]);
    expect(weights).toEqual([1 / 4, 1 / 4, 2 / 4, 0, 0, 0, 0, 0]);
    expect([[...(counts as Uint8Array)], areInputs]).toEqual([[1, 0], false]);
  });

  it('are the labels alone where a step has no unlabelled rows', () => {
    const { rows, weights, statistics } = setBy(undefined, NO_PREDICTION);
    expect(rows.slice(1, 4)).toEqual([[1, 0, 0], NONE, NONE]);
    expect([weights[2], statistics]).toEqual([0, []]);
  });

  it('may be probabilities, each row with a weight of its own', () => {
    const method = methodNamed('pseudo-label') as { targets: unknown };
    const { targets } = method;
    method.targets = () => ({
      targets: Float32Array.of(0.5, 0.25, 0.5, 0.25, 0, 0.5),
      weights: [0.5, 1],
      statistics: [7],
    });
    try {
      const { rows, weights, statistics } = setBy(ROWS, STORED);
      expect(rows.slice(2, 5)).toEqual([[0.5, 0.5, 0], [0.25, 0.25, 0.5], NONE]);
      expect(weights.slice(2, 5)).toEqual([0.25, 0.5, 0]);
      expect(statistics).toEqual([7]);
    } finally {
      method.targets = targets;
    }
  });

  it('of a reconstruction are its inputs, which the caller knows, and weigh a pixel each', () => {
    const rows = { ...ROWS, method: 'denoising', settings: {} };
    const { areInputs, weights } = setBy(rows, { ...NO_PREDICTION, rows: 2 }, 5);
    expect(areInputs).toBe(true);
    expect(weights[2]).toBeCloseTo(2 / 4 / 5);
  });

  it('need a method that is in the table', () => {
    for (const name of ['', 'toString', 'unknown']) expect(() => methodNamed(name)).toThrow(RangeError);
    const reconstructing = Object.keys(METHODS).filter((name) => methodNamed(name).reconstructs);
    expect(reconstructing).toEqual(['denoising']);
  });
});

it('sums of losses have each row by its weight, leave out rows of weight 0, and are means over the pixels', () => {
  const losses = Float32Array.of(1, 2, 4, 8, 16);
  expect(lossSums(losses, 2, [1, 0, 0.5], 4)).toEqual({ labelledLoss: 3, unlabelledLoss: 3, counted: 2 });
  expect(lossSums(losses, 2, [1, 0, 1], 4)).toEqual({ labelledLoss: 3, unlabelledLoss: 5, counted: 2 });
});

/** A propagated label for each image, which weighs as much as it is sure. */
const PROPAGATED: LabelPropagationSettings = { ...METHODS['label-propagation'].defaults, batch: 4 };

it('the loss of a step is the sum of all losses by the weights that rows have in the gradient', () => {
  const values = fc.array(fc.double({ min: 0, max: 9, noNaN: true }), { minLength: STRIDE, maxLength: STRIDE });
  const sure = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(
      values,
      sure,
      fc.constantFrom<MethodSettings>(PROPAGATED, METHODS['pseudo-label'].defaults),
      (each, confidences, of) => {
        const stored = { ...of, ...(of.name === 'pseudo-label' && { refresh: 'once' }), batch: 4 } as MethodSettings;
        const method = methodOf(stored);
        const state = method.relabelled(stored, {}, Float32Array.from(confidences));
        const unlabelled = method.rows(stored, 800, state, [1, 1, 1]);
        fc.pre(unlabelled !== undefined);
        const losses = Float32Array.from(each);
        const prediction = storedPrediction(Uint32Array.of(0, 1, 2, 3), {
          classes: Uint16Array.of(0, 1, 2, 0),
          confidences: Float32Array.from(confidences),
        });
        const places = { targets: new Float32Array(CLASSES * STRIDE), weights: new Float32Array(STRIDE) };
        const rows = { labels: LABELS, labelledBatch: 2, unlabelled, terms: 1 };
        const { counts, statistics } = setTargets(rows, prediction, places);
        const result = { rows: 6, ...lossSums(losses, 2, counts, 1), statistics };
        const request = { labelled: { images: new Uint8Array(), labels: LABELS }, unlabelled };
        const { loss, labelledLoss, unlabelledLoss, counted } = outcomeOf([result], request);
        const sum = losses.reduce((total, loss, r) => total + loss * places.weights[r]!, 0);
        expect(loss).toBeCloseTo(sum, 4);
        expect(loss).toBeCloseTo(labelledLoss + (unlabelled!.factor * counted * unlabelledLoss) / 4, 8);
      },
    ),
  );
});
