// Traces an executor: tells when each call was made, when it was answered, and which worker did what in between.

import { clock } from '../../src/clock.js';
import type { Call, TimedTask } from '../../src/engine/timeline.js';
import type { Model } from '../../src/models/model.js';
import type { Answer, GradientResult, PredictResult, PredictTask, UpdateResult } from '../../src/models/tasks.js';
import type { TensorResult, TensorStep } from '../../src/models/tensor-tasks.js';
import type { Executor, ForwardPass, Gradients, Ranges, ShardStep } from '../../src/training/executor.js';
import { WrappedExecutor } from './wrapped-executor.js';

/** Returns the parts of a task from its result. */
export type PartsOf<R extends Answer> = (result: R) => TimedTask['parts'];

export const gradientParts: PartsOf<GradientResult> = ({ milliseconds: { input, forward, backward } }) => [
  ['input', input],
  ['forward', forward],
  ['backward', backward],
];

export const updateParts: PartsOf<UpdateResult> = ({ milliseconds }) => [['update', milliseconds]];

export const predictParts: PartsOf<PredictResult> = ({ milliseconds }) => [['predict', milliseconds]];

/** Returns the parts of a task of a tensor-parallel step. */
export const tensorParts: PartsOf<TensorResult> = ({ milliseconds: { input, forward, waiting, backward } }) => [
  ['input', input],
  ['forward', forward],
  ['wait', waiting],
  ['backward', backward],
];

/** Returns which worker did what. Results from other machines do not say. */
export const tasksOf = <R extends Answer>(results: readonly R[], partsOf: PartsOf<R>): TimedTask[] =>
  results.flatMap((result) => (result.span ? [{ ...result.span, parts: partsOf(result) }] : []));

export class TracedExecutor extends WrappedExecutor {
  constructor(
    inner: Executor,
    private readonly tell: (call: Call) => void,
  ) {
    super(inner);
  }

  override async gradients(steps: readonly ShardStep[]): Promise<Gradients> {
    const step = stepOf(steps[0]!);
    const called = clock();
    const { results, update } = await this.inner.gradients(steps);
    this.answered('gradients', called, step, tasksOf(results, gradientParts));
    return {
      results,
      update: async (optimizer) => {
        const called = clock();
        const results = await update(optimizer);
        this.answered('update', called, step, tasksOf(results, updateParts));
        return results;
      },
    };
  }

  /**
   * Tells one call, from the request for a forward pass to the last answer of the backward pass, because workers do
   * both in one task.
   */
  override async forward(step: TensorStep): Promise<ForwardPass> {
    const called = clock();
    const { backward, ...logits } = await this.inner.forward(step);
    return {
      ...logits,
      backward: async (gradient) => {
        const results = await backward(gradient);
        this.answered('tensor-step', called, stepOf(step), tasksOf(results, tensorParts));
        return results;
      },
    };
  }

  override async predict(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]> {
    const called = clock();
    const results = await this.inner.predict(model, set, ranges);
    this.answered('predict', called, undefined, tasksOf(results, predictParts));
    return results;
  }

  private answered(kind: Call['kind'], called: number, step: Call['step'], tasks: readonly TimedTask[]): void {
    this.tell({ kind, called, answered: clock(), step, tasks });
  }
}

const stepOf = ({ stage, step }: { readonly stage: number; readonly step: number }) => ({ stage, step });
