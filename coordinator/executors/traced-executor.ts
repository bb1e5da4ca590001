// Owns the watching of a node: passes every call on, and tells when it was made, when it was answered, and who did what in between.
// Who does not ask for it gets no such node, and pays nothing.

import { clock } from '../../src/clock.js';
import type { Executor, ExecutorHealth, ShardStep, TrainingState } from '../../src/engine/executor.js';
import type {
  Answer,
  GradientResult,
  OptimizerStep,
  PredictResult,
  PredictTask,
  UpdateResult,
} from '../../src/engine/tasks.js';
import type { Logits, TensorResult, TensorStep } from '../../src/engine/tensor-tasks.js';
import type { Call, TimedTask } from '../../src/engine/timeline.js';
import type { Model } from '../../src/models/model.js';

type Parts<R extends Answer> = (result: R) => TimedTask['parts'];

/** Of a tensor-parallel step. */
export const tensorParts: Parts<TensorResult> = ({ milliseconds: { input, forward, waiting, backward } }) => [
  ['input', input],
  ['forward', forward],
  ['wait', waiting],
  ['backward', backward],
];

/** Who did what: of results from other machines nothing is known. */
export const tasksOf = <R extends Answer>(results: readonly R[], partsOf: Parts<R>): TimedTask[] =>
  results.flatMap((result) => (result.span ? [{ ...result.span, parts: partsOf(result) }] : []));

export class TracedExecutor implements Executor {
  readonly name: string;
  readonly workers: number;
  readonly writesInPlace: boolean;
  private step: Call['step'];
  private tensorCalled = 0;

  constructor(
    private readonly node: Executor,
    private readonly tell: (call: Call) => void,
  ) {
    this.name = node.name;
    this.workers = node.workers;
    this.writesInPlace = node.writesInPlace;
  }

  health(): ExecutorHealth {
    return this.node.health();
  }

  gradients(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    const [first] = steps;
    this.step = first && { stage: first.stage, step: first.step };
    return this.traced(
      'gradients',
      this.step,
      () => this.node.gradients(steps),
      ({ milliseconds }) => [
        ['input', milliseconds.input],
        ['forward', milliseconds.forward],
        ['backward', milliseconds.backward],
      ],
    );
  }

  /** It ends the step whose gradients were asked for last. */
  update(model: Model, shards: number, optimizer: OptimizerStep): Promise<UpdateResult[]> {
    const ask = () => this.node.update(model, shards, optimizer);
    return this.traced('update', this.step, ask, ({ milliseconds }) => [['update', milliseconds]]);
  }

  forward(step: TensorStep): Promise<Logits> {
    this.step = { stage: step.stage, step: step.step };
    this.tensorCalled = clock();
    return this.node.forward(step);
  }

  /** It ends what the forward pass began: workers do both in one task. */
  backward(gradient: Float32Array): Promise<TensorResult[]> {
    return this.traced('slices', this.step, () => this.node.backward(gradient), tensorParts, this.tensorCalled);
  }

  predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    const ask = () => this.node.predict(model, set, ranges);
    return this.traced('predict', undefined, ask, ({ milliseconds }) => [['predict', milliseconds]]);
  }

  read(parameters: number): Promise<TrainingState> {
    return this.node.read(parameters);
  }

  write(state: Partial<TrainingState>): void {
    this.node.write(state);
  }

  close(): Promise<void> {
    return this.node.close();
  }

  private async traced<R extends Answer>(
    kind: Call['kind'],
    step: Call['step'],
    ask: () => Promise<R[]>,
    partsOf: Parts<R>,
    called = clock(),
  ): Promise<R[]> {
    const results = await ask();
    const answered = clock();
    this.tell({ kind, called, answered, step, tasks: tasksOf(results, partsOf) });
    return results;
  }
}
