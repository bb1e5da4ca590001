// Tests label propagation as a method: its state, the weights of a step's rows, and the limits of its settings.
import { describe, expect, it } from 'vitest';
import { type LabelPropagationSettings, labelPropagation } from '../../../src/methods/label-propagation.js';
import { methodSchema } from '../../../src/methods/methods.js';
import { NO_PREDICTION } from '../../../src/methods/targets.js';

const SETTINGS: LabelPropagationSettings = {
  name: 'label-propagation',
  batch: 8,
  refresh: 'once',
  graph: {
    descriptors: [{ kind: 'hog', components: 64 }],
    neighbours: 5,
    spread: { alpha: 0.99, iterations: 60 },
  },
  balance: 'labelled',
};
const COUNTS = [3, 1];

describe('label propagation', () => {
  it('weighs rows to 1 in the mean, by what a checkpoint keeps', () => {
    const begun = labelPropagation.begin(SETTINGS, COUNTS);
    expect(labelPropagation.rows(SETTINGS, 0, begun, COUNTS)).toBeUndefined();
    const state = labelPropagation.relabelled(SETTINGS, begun, Float32Array.of(0.25, 0.75, 0.5, 0.5));
    expect(labelPropagation.state.parse(JSON.parse(JSON.stringify(state)))).toEqual(state);
    expect(labelPropagation.rows(SETTINGS, 5, state, COUNTS)).toMatchObject({
      factor: 2,
      batch: 8,
      pseudoLabels: 'stored',
    });
  });

  it('trains nothing where no label has reached any image', () => {
    const state = labelPropagation.relabelled(SETTINGS, {}, new Float32Array(3));
    expect(labelPropagation.rows(SETTINGS, 1, state, COUNTS)).toBeUndefined();
  });

  it('takes stored labels and their weights for targets', () => {
    const rows = labelPropagation.rows(SETTINGS, 1, { mean: [1] }, COUNTS)!;
    const [classes, confidences] = [Uint16Array.of(1, 0), Float32Array.of(0.5, 1)];
    const { targets, weights } = labelPropagation.targets(rows, { ...NO_PREDICTION, rows: 2, classes, confidences });
    expect(targets).toBe(classes);
    expect(weights).toBe(confidences);
  });

  it('labels once, or every so many steps', () => {
    const at = (refresh: LabelPropagationSettings['refresh']) =>
      [0, 1, 2, 3, 4].filter((step) => labelPropagation.isRelabelling({ ...SETTINGS, refresh }, step));
    expect(at('once')).toEqual([0]);
    expect(at(2)).toEqual([0, 2, 4]);
  });

  it('says which shares it holds classes to', () => {
    const sharesOf = (balance: LabelPropagationSettings['balance']) =>
      labelPropagation.propagation({ ...SETTINGS, balance }, COUNTS)!.shares;
    expect(sharesOf('labelled')).toEqual([0.75, 0.25]);
    expect(sharesOf('equal')).toEqual([0.5, 0.5]);
    expect(sharesOf([0.1, 0.9])).toEqual([0.1, 0.9]);
    expect(sharesOf('off')).toBeUndefined();
    expect(sharesOf('predicted')).toBe('predicted');
    expect(labelPropagation.choose(SETTINGS, 0, {}, COUNTS)?.choice).toEqual({
      source: 'labelled',
      shares: [0.75, 0.25],
    });
    expect(labelPropagation.choose(SETTINGS, 1, {}, COUNTS)).toBeUndefined();
  });

  it.each([
    { smooth: { alpha: 0.5, iterations: 3 } },
    { mix: 0.5 },
    { descriptors: [] },
    { descriptors: [{ kind: 'pixels', components: 3, deskew: true }] },
    { neighbours: 0 },
    { spread: { alpha: 1, iterations: 3 } },
  ])('refuses %j', (change) => {
    expect(methodSchema.safeParse(SETTINGS).success).toBe(true);
    expect(methodSchema.safeParse({ ...SETTINGS, graph: { ...SETTINGS.graph, ...change } }).success).toBe(false);
  });

  it('holds classes to the shares that are predicted only where predictions are mixed in', () => {
    const { graph } = SETTINGS;
    const features = [{ kind: 'features', components: 8 }] as const;
    const predicted = { ...SETTINGS, balance: 'predicted' } as const;
    expect(methodSchema.safeParse(predicted).success).toBe(false);
    expect(methodSchema.safeParse({ ...predicted, graph: { ...graph, descriptors: features, mix: 0.5 } }).success).toBe(
      true,
    );
    expect(labelPropagation.choose(predicted, 0, {}, COUNTS)).toBeUndefined();
  });
});
