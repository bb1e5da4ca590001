// Makes timelines of workers that do known things for known times.
import fc from 'fast-check';
import type { Call, TimedTask } from '../src/engine/timeline.js';

/** Milliseconds of each task's parts, and the pause before each task, for each worker. */
export interface Plan {
  readonly dispatch: number;
  readonly answer: number;
  readonly work: readonly (readonly { readonly pause: number; readonly milliseconds: readonly number[] }[])[];
}

const PARTS = {
  gradients: ['input', 'forward', 'backward'],
  update: ['update'],
  'tensor-step': ['input', 'forward', 'wait', 'backward'],
  predict: ['predict'],
} as const;

/** Returns a call at `called` that goes as planned. */
export function callAt(called: number, kind: Call['kind'], { dispatch, answer, work }: Plan, step?: number): Call {
  const tasks = work.flatMap((plans, w): TimedTask[] => {
    let at = called + dispatch;
    return plans.map(({ pause, milliseconds }) => {
      const began = at + pause;
      const parts = PARTS[kind].map((part, p) => [part, milliseconds[p] ?? 0] as const);
      at = parts.reduce((sum, [, each]) => sum + each, began);
      return { worker: w + 1, began, ended: at, parts };
    });
  });
  const answered = Math.max(called + dispatch, ...tasks.map(({ ended }) => ended)) + answer;
  return { kind, called, answered, step: step === undefined ? undefined : { stage: 0, step }, tasks };
}

/** Generates steps of a gradient and an update call each, on `workers` workers, with tasks and pauses of any length. */
export function arbitrarySteps(workers: number): fc.Arbitrary<Call[]> {
  const milliseconds = fc.double({ min: 0, max: 50, noNaN: true });
  const task = fc.record({ pause: milliseconds, milliseconds: fc.array(milliseconds, { minLength: 3, maxLength: 3 }) });
  const work = fc.array(fc.array(task, { maxLength: 3 }), { minLength: workers, maxLength: workers });
  const plan = fc.record({ dispatch: milliseconds, answer: milliseconds, work });
  const steps = fc.array(fc.tuple(plan, milliseconds, plan, milliseconds), { minLength: 1, maxLength: 5 });
  return steps.map((plans) => {
    let at = 1e6;
    return plans.flatMap(([gradients, between, update, after], step) => {
      const first = callAt(at, 'gradients', gradients, step);
      const second = callAt(first.answered + between, 'update', update, step);
      at = second.answered + after;
      return [first, second];
    });
  });
}
