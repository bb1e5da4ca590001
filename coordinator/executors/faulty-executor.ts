// Owns faults on purpose, to try real runs with: a node whose threads get lost in the middle of steps (--lose-worker), or whose steps stall until
// the process is told to go on (--stall-worker), so that a test can look at a run however fast it is.
import { once } from 'node:events';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Executor, ExecutorHealth, ShardStep, TrainingState } from '../../src/engine/executor.js';
import type {
  GradientResult,
  OptimizerStep,
  PredictResult,
  PredictTask,
  UpdateResult,
} from '../../src/engine/tasks.js';
import type { Logits, TensorResult, TensorStep } from '../../src/engine/tensor-tasks.js';
import type { Model } from '../../src/models/model.js';

/** A node that can be told to lose a thread, if there are to be losses. */
type Breakable = Executor & { loseThread?(index: number): Promise<void> };

/** Gradients or a forward pass; an update or a backward pass. */
type Phase = 'first' | 'second';

/** Its steps without end make a number in [0, 1) that is all over the place, and the same in each run. */
const GOLDEN_RATIO = 0.618033988749895;

export class FaultyExecutor implements Executor {
  readonly name: string;
  readonly workers: number;
  readonly writesInPlace: boolean;
  private step = -1;
  /** Steps whose task was done before its thread was lost, so that nothing was. */
  private owed = 0;
  private readonly milliseconds: Record<Phase, number> = { first: 0, second: 0 };

  /**
   * steps: in which a thread is lost with its task, counted from 0 at the step that this process begins with, over all stages; by turns in
   * the first phase of a step and in the second. Where the task was quicker than the fault, a task of a later step is lost for it.
   * stalls: steps, counted alike, that begin when there is a SIGCONT.
   */
  constructor(
    private readonly node: Breakable,
    private readonly steps: ReadonlySet<number>,
    private readonly stalls: ReadonlySet<number> = new Set(),
  ) {
    this.name = node.name;
    this.workers = node.workers;
    this.writesInPlace = node.writesInPlace;
  }

  health(): ExecutorHealth {
    return this.node.health();
  }

  async gradients(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    await this.stepBegins();
    return this.disturbed('first', () => this.node.gradients(steps));
  }

  update(model: Model, shards: number, optimizer: OptimizerStep): Promise<UpdateResult[]> {
    return this.disturbed('second', () => this.node.update(model, shards, optimizer));
  }

  async forward(step: TensorStep): Promise<Logits> {
    await this.stepBegins();
    return this.disturbed('first', () => this.node.forward(step));
  }

  backward(gradient: Float32Array): Promise<TensorResult[]> {
    return this.disturbed('second', () => this.node.backward(gradient));
  }

  predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    return this.node.predict(model, set, ranges);
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

  private async stepBegins(): Promise<void> {
    this.step++;
    if (!this.stalls.has(this.step)) return;
    const keepsProcess = setInterval(() => undefined, 1000); // to wait for a signal does not
    await once(process, 'SIGCONT');
    clearInterval(keepsProcess);
  }

  private async disturbed<T>(phase: Phase, ask: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const isTurn = phase === (this.step % 2 === 0 ? 'first' : 'second');
    const isDue = isTurn && this.steps.has(this.step);
    if (isDue) this.owed++;
    // A thread that is told to end before it is given a task takes the task with it. In the second phase it is replaced.
    const isLate = !isDue && phase === 'first' && this.owed > 0;
    const loss = isDue ? this.loseLater(phase) : isLate ? this.loseThread() : undefined;
    const before = this.node.health().lostWorkers;
    const [result] = await Promise.all([ask(), loss]);
    this.owed = Math.max(0, this.owed - (this.node.health().lostWorkers - before));
    this.milliseconds[phase] = performance.now() - began;
    return result;
  }

  /** After a part of the time that the phase took last. */
  private async loseLater(phase: Phase): Promise<void> {
    const delay = ((this.step * GOLDEN_RATIO) % 1) * this.milliseconds[phase];
    // Timers have a resolution of 1 ms; the tasks are with their threads before the next turn of the event loop.
    await (delay < 1 ? setImmediate() : setTimeout(delay));
    await this.loseThread();
  }

  private async loseThread(): Promise<void> {
    await this.node.loseThread?.(Math.max(0, this.step) % this.workers);
  }
}
