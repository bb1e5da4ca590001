// Tests the trace of a run.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Call } from '../../../src/engine/timeline.js';
import { traceFile } from '../../../src/reporting/trace.js';
import { arbitrarySteps, callAt } from '../../synthetic-timeline.js';
import { readTrace } from '../../trace-format.js';

const fileOf = (calls: readonly Call[]): string => Buffer.concat([...traceFile(calls)]).toString();

const TWO_WORKERS = [
  callAt(
    5000,
    'gradients',
    {
      dispatch: 0.25,
      answer: 0.5,
      work: [[{ pause: 0, milliseconds: [1, 2, 3] }], [{ pause: 0, milliseconds: [1, 2, 2] }]],
    },
    7,
  ),
  callAt(
    5010,
    'update',
    { dispatch: 0.5, answer: 0.5, work: [[{ pause: 0, milliseconds: [1] }], [{ pause: 0.5, milliseconds: [1] }]] },
    7,
  ),
];

describe('a trace', () => {
  it('has every call and task where it was, in microseconds from the first call', () => {
    const { slices, lanes } = readTrace(fileOf(TWO_WORKERS));
    expect([...lanes.values()]).toEqual(['coordinator', 'worker 1', 'worker 2']);
    const step = { stage: 0, step: 7 };
    expect(slices.map(({ tid, name, ts, dur, args }) => [tid, name, ts, dur, args])).toEqual([
      [0, 'step', 0, 12_500, step],
      [0, 'gradients', 0, 6750, step],
      [1, 'gradient', 250, 6000, step],
      [1, 'input', 250, 1000, step],
      [1, 'forward', 1250, 2000, step],
      [1, 'backward', 3250, 3000, step],
      [2, 'gradient', 250, 5000, step],
      [2, 'input', 250, 1000, step],
      [2, 'forward', 1250, 2000, step],
      [2, 'backward', 3250, 2000, step],
      [0, 'update', 10_000, 2500, step],
      [1, 'update', 10_500, 1000, step],
      [2, 'update', 11_000, 1000, step],
    ]);
  });

  it('has a tensor-parallel step, which is one call', () => {
    const work = [[{ pause: 0, milliseconds: [1, 2, 3, 4] }]];
    const { slices } = readTrace(fileOf([callAt(5000, 'tensor-step', { dispatch: 0.25, answer: 0.5, work }, 7)]));
    expect(slices.map(({ tid, name, ts, dur }) => [tid, name, ts, dur])).toEqual([
      [0, 'step', 0, 10_750],
      [0, 'tensor-step', 0, 10_750],
      [1, 'tensor-step', 250, 10_000],
      [1, 'input', 250, 1000],
      [1, 'forward', 1250, 2000],
      [1, 'wait', 3250, 3000],
      [1, 'backward', 6250, 4000],
    ]);
  });

  it('of any timeline is well formed, and has every step once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }).chain(arbitrarySteps), (calls) => {
        const { slices } = readTrace(fileOf(calls));
        const steps = slices.filter(({ name }) => name === 'step').map(({ args }) => args.step);
        expect(steps).toEqual(calls.filter(({ kind }) => kind === 'gradients').map(({ step }) => step!.step));
      }),
    );
  });

  it('shows a step that failed as its first call, and labellings as part of no step', () => {
    const predicting = callAt(6000, 'predict', {
      dispatch: 0,
      answer: 0,
      work: [[{ pause: 0, milliseconds: [5] }]],
    });
    const { slices } = readTrace(fileOf([TWO_WORKERS[0]!, predicting]));
    expect(slices.find(({ name }) => name === 'step')!.dur).toBe(6750);
    expect(slices.filter(({ name }) => name === 'predict').map(({ args }) => args)).toEqual([{}, {}]);
  });

  it('of nothing is an empty list', () => {
    expect(readTrace(fileOf([]))).toEqual({ slices: [], lanes: new Map() });
  });
});
