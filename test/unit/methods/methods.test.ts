// Tests what every method must do, and what each does with predictions: the equations of their papers, computed by
// hand.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Method, MethodState, Prediction, UnlabelledRows } from '../../../src/methods/method.js';
import { METHOD_NAMES, METHODS, type MethodSettings, methodOf } from '../../../src/methods/methods.js';

const CLASSES = 3;
const COUNTS = [4, 4, 4];

/** Makes predictions. probabilities: [rows][classes]. */
function predictionOf(probabilities: readonly (readonly number[])[], isShifted = false): Prediction {
  const best = (row: readonly number[]): number => row.indexOf(Math.max(...row));
  const sums = Array.from({ length: CLASSES }, (_, c) => probabilities.reduce((sum, row) => sum + row[c]!, 0));
  return {
    rows: probabilities.length,
    classes: Uint16Array.from(probabilities, best),
    confidences: Float32Array.from(probabilities, (row) => Math.max(...row)),
    classMasses: isShifted ? sums : [],
    probabilities: (temperature) => {
      const sharp = probabilities.map((row) => row.map((p) => p ** (1 / temperature)));
      const shares = sharp.map((row) => row.map((p) => p / row.reduce((sum, each) => sum + each, 0)));
      return Float32Array.from(Array.from({ length: CLASSES }, (_, c) => shares.map((row) => row[c]!)).flat());
    },
  };
}
const anyRow = fc
  .array(fc.double({ min: 0.01, max: 1, noNaN: true }), { minLength: CLASSES, maxLength: CLASSES })
  .map((row) => row.map((each) => each / row.reduce((sum, other) => sum + other, 0)));

/** Returns settings whose loss counts from the first step on, without shares. */
const from0 = (name: MethodSettings['name'], more: object = {}): MethodSettings => {
  const { balance: _, ...settings } = methodOf({ name }).defaults as { balance?: unknown };
  const alpha = { t1: 0, t2: 0, final: 1, every: 1 };
  return { ...settings, alpha, batch: 2, ...more } as unknown as MethodSettings;
};
const FRESH = ['fixmatch', 'freematch', 'mean-teacher'] as const;

describe.each(METHOD_NAMES)('the method %s', (name) => {
  const method = METHODS[name] as unknown as Method<MethodSettings>;
  const { defaults } = method;

  it('reads its defaults, begins with a state that a checkpoint keeps, and sends parameters that are accepted', () => {
    expect(method.settings.parse(structuredClone(defaults))).toEqual(defaults);
    const state = method.begin(defaults, COUNTS);
    expect(method.state.parse(JSON.parse(JSON.stringify(state)))).toEqual(state);
    for (const step of [0, 399, 400, 900, 2000]) {
      const rows = method.rows(defaults, step, state, COUNTS);
      if (rows) expect(method.stepSettings.parse(rows.settings)).toEqual(rows.settings);
      if (rows) expect(rows.factor).toBeGreaterThanOrEqual(0);
    }
  });

  it('is the same in shorter form, with the same names', () => {
    expect(Object.keys(method.shortened(defaults, 0.5)).sort()).toEqual(Object.keys(defaults).sort());
    expect(method.settings.parse(method.shortened(defaults, 0.5))).toBeTruthy();
  });

  it('weighs rows from 0 to 1, and sums as many numbers as it says, for any prediction', () => {
    const rows = method.rows(defaults, 2000, method.begin(defaults, COUNTS), COUNTS);
    if (rows?.pseudoLabels !== 'fresh') return;
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 1, maxLength: 6 }), (probabilities) => {
        const taught = method.targets(rows, predictionOf(probabilities, rows.logitShift !== undefined));
        expect(Array.from(taught.weights).every((weight) => weight >= 0 && weight <= 1)).toBe(true);
        expect(taught.weights).toHaveLength(probabilities.length);
        expect(taught.statistics).toHaveLength(method.statistics(rows, CLASSES));
        expect(taught.statistics.every((sum) => sum >= 0 && sum <= probabilities.length * 1.0001)).toBe(true);
      }),
    );
  });
});

describe('targets of methods that predict at each step', () => {
  const PROBABILITIES = [
    [0.96, 0.03, 0.01],
    [0.5, 0.3, 0.2],
  ];
  const rowsOf = (settings: MethodSettings, state?: MethodState): UnlabelledRows => {
    const method = methodOf(settings);
    return method.rows(settings, 0, state ?? method.begin(settings, COUNTS), COUNTS)!;
  };
  const taught = (settings: MethodSettings) =>
    methodOf(settings).targets(rowsOf(settings), predictionOf(PROBABILITIES));

  it('of FixMatch are the classes of confident rows', () => {
    const { targets, weights } = taught(from0('fixmatch'));
    expect([Array.from(targets!), Array.from(weights)]).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });

  it('of FixMatch at a temperature are sharpened probabilities', () => {
    const { targets } = taught(from0('fixmatch', { temperature: 0.5 }));
    const [first, second] = [0.5 ** 2 / 0.38, 0.2 ** 2 / 0.38];
    expect(targets![1]).toBeCloseTo(first, 6);
    expect(targets![5]).toBeCloseTo(second, 6);
  });

  it('of a mean teacher are those of the averaged weights, and soft', () => {
    const settings = from0('mean-teacher', { temperature: 1 });
    expect(rowsOf(settings).teacher).toBe('average');
    const { targets, weights } = taught(settings);
    expect(Array.from(targets!, (each) => Number(each.toFixed(2)))).toEqual([0.96, 0.5, 0.03, 0.3, 0.01, 0.2]);
    expect(Array.from(weights)).toEqual([1, 1]);
    for (const name of ['fixmatch', 'freematch'] as const) expect(rowsOf(from0(name)).teacher).toBeUndefined();
  });

  it('of FreeMatch count from thresholds that follow the confidence and the shares of the predictions', () => {
    const settings = from0('freematch', { momentum: 0.5 });
    const method = methodOf(settings);
    const begun = method.begin(settings, COUNTS);
    const third = 1 / 3;
    expect(rowsOf(settings).settings).toEqual({ thresholds: [third, third, third] });
    const { statistics } = method.targets(rowsOf(settings), predictionOf(PROBABILITIES));
    const state = method.next(settings, 0, begun, statistics);
    const tau = third / 2 + (0.96 + 0.5) / 4;
    const shares = [1.46, 0.33, 0.21].map((sum) => third / 2 + sum / 4);
    expect(state.confidence![0]).toBeCloseTo(tau, 6);
    const { thresholds } = rowsOf(settings, state).settings as unknown as { thresholds: number[] };
    for (const [c, threshold] of thresholds.entries())
      expect(threshold).toBeCloseTo((tau * shares[c]!) / shares[0]!, 6);
    // A step without unlabelled rows changes nothing.
    expect(method.next(settings, 1, state, [])).toEqual(state);
  });

  it('are held to shares where the settings say so, those of FreeMatch beside its own sums', () => {
    for (const name of FRESH) {
      const settings = from0(name, { balance: { momentum: 0.9, shares: 'equal' } });
      const method = methodOf(settings);
      const rows = rowsOf(settings);
      expect(rows.logitShift).toHaveLength(CLASSES);
      const { statistics } = method.targets(rows, predictionOf(PROBABILITIES, true));
      const state = method.next(settings, 0, method.begin(settings, COUNTS), statistics);
      expect(state.predicted![0]).toBeCloseTo(0.9 / 3 + (0.1 * 1.46) / 2, 6);
      expect(method.state.parse(state)).toEqual(state);
    }
  });
});
