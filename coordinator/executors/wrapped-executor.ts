// Wraps another executor and passes on every call. Classes that watch or disturb some of the calls extend it.

import type { Rows } from '../../src/graph/rows.js';
import type { Model } from '../../src/models/model.js';
import type {
  DescribeResult,
  Description,
  NeighboursResult,
  PredictResult,
  PredictTask,
} from '../../src/models/tasks.js';
import type { TensorStep } from '../../src/models/tensor-tasks.js';
import type {
  Executor,
  ExecutorHealth,
  ForwardPass,
  Gradients,
  Ranges,
  ShardStep,
  TrainingState,
} from '../../src/training/executor.js';

export class WrappedExecutor<E extends Executor = Executor> implements Executor {
  readonly workers: number;

  constructor(protected readonly inner: E) {
    this.workers = inner.workers;
  }

  health(): ExecutorHealth {
    return this.inner.health();
  }

  gradients(steps: readonly ShardStep[]): Promise<Gradients> {
    return this.inner.gradients(steps);
  }

  forward(step: TensorStep): Promise<ForwardPass> {
    return this.inner.forward(step);
  }

  predict(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]> {
    return this.inner.predict(model, set, ranges);
  }

  describe(description: Description, ranges: Ranges): Promise<DescribeResult[]> {
    return this.inner.describe(description, ranges);
  }

  neighbours(rows: Rows, neighbours: number, blocks: Ranges): Promise<NeighboursResult[]> {
    return this.inner.neighbours(rows, neighbours, blocks);
  }

  read(parameterCount: number): Promise<TrainingState> {
    return this.inner.read(parameterCount);
  }

  write(state: Partial<TrainingState>): void {
    this.inner.write(state);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}
