// Tests how the time of a step is split into its parts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ACTIVITIES, type Activity, type Call } from '../../../src/engine/timeline.js';
import { exclusive, SHARES, splitOf, TOLERANCE, together, until } from '../../../src/scaling/time-split.js';
import { arbitrarySteps, callAt } from '../../synthetic-timeline.js';

/** Returns a timeline with some time of the coordinator's before and after the calls. */
const timelineOf = (calls: readonly Call[], workers: number) => {
  return { workers, began: calls[0]!.called - 2, ended: calls.at(-1)!.answered + 3, calls };
};

/** Generates what a main thread did and waited for around the calls, several things at once, in any order. */
const arbitraryActivities = (calls: readonly Call[]): fc.Arbitrary<Activity[]> => {
  const [from, to] = [calls[0]!.called - 10, calls.at(-1)!.answered + 10];
  const span = fc.record({
    kind: fc.constantFrom(...ACTIVITIES),
    began: fc.double({ min: from, max: to, noNaN: true }),
    milliseconds: fc.double({ min: 0, max: 60, noNaN: true }),
  });
  return fc.array(
    span.map(({ kind, began, milliseconds }) => ({ kind, began, ended: began + milliseconds })),
    { maxLength: 40 },
  );
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
      serialise: 0,
      send: 0,
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

  it('of several processes adds up, whatever they did for each other between their calls, and wherever it is cut', () => {
    const process = some.chain(([workers, calls]) =>
      fc.record({ workers: fc.constant(workers), calls: fc.constant(calls), activities: arbitraryActivities(calls) }),
    );
    fc.assert(
      fc.property(process, fc.double({ min: 0, max: 1, noNaN: true }), ({ workers, calls, activities }, share) => {
        const began = calls[0]!.called - 2;
        const ended = began + share * (calls.at(-1)!.answered + 3 - began) + 1e-3;
        const kept = calls.filter(({ called }) => called < ended).map((call) => until(call, ended));
        const own = splitOf({ workers, began, ended, calls: kept, activities: exclusive(activities) });
        const whole = workers * (ended - began);
        expect(Math.abs(own.error)).toBeLessThan(1e-6);
        for (const each of SHARES) expect(own.split[each], each).toBeGreaterThanOrEqual(-1e-9);
        const both = together([own.split, own.split], 2 * whole);
        expect(Math.abs(both.error)).toBeLessThan(1e-6);
        expect(Math.abs(together([own.split], 2 * whole).error)).toBeGreaterThan(TOLERANCE);
      }),
    );
  });

  it('between two calls is what the main thread did for others, and dispatch where it did nothing for them', () => {
    const plan = { dispatch: 1, answer: 0, work: [[{ pause: 0, milliseconds: [1, 2, 3] }]] };
    const first = callAt(0, 'gradients', plan, 0);
    const second = callAt(first.answered + 10, 'update', { ...plan, work: [[{ pause: 0, milliseconds: [4] }]] }, 0);
    const at = first.answered;
    const activities: Activity[] = [
      { kind: 'wait', began: at - 5, ended: at + 2 },
      { kind: 'serialise', began: at + 2, ended: at + 3 },
      { kind: 'send', began: at + 3, ended: at + 7 },
    ];
    const timeline = { workers: 2, began: 0, ended: second.answered, calls: [first, second] };
    const { split, error } = splitOf({ ...timeline, activities });
    expect(split).toMatchObject({ wait: 2 * 2, serialise: 2 * 1, send: 2 * 4, update: 4 });
    expect(split.dispatch).toBe(splitOf(timeline).split.dispatch - 2 * 7);
    expect(error).toBeCloseTo(0, 12);
    // Time that is counted twice is noticed.
    const twice = splitOf({ ...timeline, activities: [...activities, activities[2]!] });
    expect(twice.error).toBeGreaterThan(TOLERANCE);
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

describe('what a main thread did', () => {
  it('is each instant once, as what counts first, and nothing where nothing went on', () => {
    const spans: Activity[] = [
      { kind: 'wait', began: 0, ended: 10 },
      { kind: 'send', began: 4, ended: 8 },
      { kind: 'serialise', began: 4, ended: 5 },
      { kind: 'send', began: 7, ended: 9 },
      { kind: 'wait', began: 12, ended: 13 },
    ];
    expect(exclusive(spans)).toEqual([
      { kind: 'wait', began: 0, ended: 4 },
      { kind: 'serialise', began: 4, ended: 5 },
      { kind: 'send', began: 5, ended: 9 },
      { kind: 'wait', began: 9, ended: 10 },
      { kind: 'wait', began: 12, ended: 13 },
    ]);
    const calls = [{ called: 0, answered: 100 } as Call];
    fc.assert(
      fc.property(arbitraryActivities(calls), (activities) => {
        const pieces = exclusive(activities);
        for (const [i, { began, ended }] of pieces.entries()) {
          expect(ended).toBeGreaterThan(began);
          if (i > 0) expect(began).toBeGreaterThanOrEqual(pieces[i - 1]!.ended);
        }
        const covered = (spans: readonly Activity[], at: number) => spans.find((s) => s.began <= at && at < s.ended);
        for (let at = -9.5; at < 110; at += 3.7)
          expect(covered(pieces, at) === undefined).toBe(covered(activities, at) === undefined);
      }),
    );
  });
});
