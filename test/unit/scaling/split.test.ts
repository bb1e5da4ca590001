import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SHARES, splitOf, TOLERANCE } from '../../../src/scaling/split.js';
import type { Call } from '../../../src/timeline.js';
import { arbitrarySteps, callAt } from '../../synthetic-timeline.js';

/** With some time of the coordinator's before and after. */
const timelineOf = (calls: readonly Call[], workers: number) => {
  return { workers, began: calls[0]!.called - 2, ended: calls.at(-1)!.answered + 3, calls };
};

const some = fc.integer({ min: 1, max: 4 }).chain((workers) => fc.tuple(fc.constant(workers), arbitrarySteps(workers)));

describe('the split of the time', () => {
  it('of a step is what each worker did, waited for, and could not do', () => {
    const work = [
      [{ pause: 0, milliseconds: [1, 10, 20] }],
      [
        { pause: 1, milliseconds: [1, 4, 8] },
        { pause: 2, milliseconds: [1, 4, 8] },
      ],
    ];
    const gradients = callAt(1000, 'gradients', { dispatch: 0.5, answer: 0.25, work }, 0);
    const update = callAt(
      gradients.answered + 1,
      'update',
      { dispatch: 0.5, answer: 0.5, work: [[{ pause: 0, milliseconds: [3] }], []] },
      0,
    );
    const calls = [gradients, update];
    const { split, error } = splitOf({ workers: 2, began: 1000, ended: update.answered, calls });
    expect(split).toEqual({
      input: 3,
      forward: 18,
      backward: 36,
      update: 3,
      wait: 0,
      predict: 0,
      // Of both: 0.5 before the tasks, 1 + 2 of pauses, 0.25 after them, 1 between; of the update 0.5 of one, and 0.5 after it of both.
      dispatch: 2 * 0.5 + 3 + 2 * 0.25 + 2 * 1 + 0.5 + 2 * 0.5,
      // The second ends after 29 of 31 ms; it has no part of an update of 3.5 ms.
      idle: 2 - 0 + 3.5,
    });
    expect(error).toBeCloseTo(0, 12);
  });

  it('adds up to the whole for any timeline', () => {
    fc.assert(
      fc.property(some, ([workers, calls]) => {
        const timeline = timelineOf(calls, workers);
        const { split, error } = splitOf(timeline);
        const sum = SHARES.reduce((total, share) => total + split[share], 0);
        const whole = workers * (timeline.ended - timeline.began);
        expect(Math.abs(sum - whole)).toBeLessThan(1e-6 * whole);
        expect(Math.abs(error)).toBeLessThan(1e-6);
        for (const share of SHARES) expect(split[share], share).toBeGreaterThanOrEqual(-1e-9);
      }),
    );
  });

  it('adds up where a worker was never needed', () => {
    const call = callAt(0, 'predict', { dispatch: 1, answer: 1, work: [[{ pause: 0, milliseconds: [8] }]] });
    const { split, error } = splitOf({ workers: 3, began: 0, ended: 10, calls: [call] });
    expect(split).toMatchObject({ predict: 8, dispatch: 1 + 3 * 1, idle: 2 * 9 });
    expect(error).toBe(0);
  });

  it('does not add up where a clock is wrong, a task is counted twice, or parts are longer than their task', () => {
    const plan = { dispatch: 1, answer: 1, work: [[{ pause: 0, milliseconds: [10, 10, 10] }]] };
    const call = callAt(0, 'gradients', plan, 0);
    const [task] = call.tasks;
    const errorOf = (tasks: Call['tasks']) =>
      Math.abs(splitOf({ workers: 1, began: 0, ended: call.answered, calls: [{ ...call, tasks }] }).error);
    expect(errorOf([task!])).toBeCloseTo(0, 12);
    const shifted = (by: number) => ({ ...task!, began: task!.began + by, ended: task!.ended + by });
    expect(errorOf([shifted(-2)])).toBeGreaterThan(TOLERANCE);
    expect(errorOf([shifted(2)])).toBeGreaterThan(TOLERANCE);
    expect(errorOf([task!, shifted(0)])).toBeGreaterThan(TOLERANCE);
    expect(errorOf([{ ...task!, parts: [...task!.parts, ['update', 5]] }])).toBeGreaterThan(TOLERANCE);
  });
});
