// Causes faults on purpose, to test real runs. Threads are lost in the middle of steps (--lose-worker), or steps stall
// until the process is told to go on (--stall-worker), so that a test can look at a fast run.
import { once } from 'node:events';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { TensorStep } from '../../src/models/tensor-tasks.js';
import type { Executor, ForwardPass, Gradients, ShardStep } from '../../src/training/executor.js';
import { WrappedExecutor } from './wrapped-executor.js';

/** An executor that can be told to lose a thread, if threads are to be lost. */
type Breakable = Executor & { loseThread?(index: number): Promise<void> };

/** first: gradients or a forward pass; second: an update or a backward pass. */
type Phase = 'first' | 'second';

/** Multiples of this number, modulo 1, are spread evenly over [0, 1), and are the same in each run. */
const GOLDEN_RATIO = 0.618033988749895;

export class FaultyExecutor extends WrappedExecutor<Breakable> {
  private step = -1;
  /** The losses that are still to come, because a task was done before its thread was lost. */
  private owed = 0;
  private readonly milliseconds: Record<Phase, number> = { first: 0, second: 0 };

  /**
   * @param steps the steps in which a thread is lost with its task, in even steps in the first phase, in odd ones in
   * the second. They count from 0, the first step of this process, over all stages. If the task ends before the fault,
   * a task of a later step is lost instead.
   * @param stalls the steps, counted in the same way, that wait for SIGCONT before they begin
   */
  constructor(
    inner: Breakable,
    private readonly steps: ReadonlySet<number>,
    private readonly stalls: ReadonlySet<number> = new Set(),
  ) {
    super(inner);
  }

  override async gradients(steps: readonly ShardStep[]): Promise<Gradients> {
    await this.stepBegins();
    const { results, update } = await this.disturbed('first', () => this.inner.gradients(steps));
    return { results, update: (optimizer) => this.disturbed('second', () => update(optimizer)) };
  }

  override async forward(step: TensorStep): Promise<ForwardPass> {
    await this.stepBegins();
    const { backward, ...logits } = await this.disturbed('first', () => this.inner.forward(step));
    return { ...logits, backward: (gradient) => this.disturbed('second', () => backward(gradient)) };
  }

  private async stepBegins(): Promise<void> {
    this.step++;
    if (!this.stalls.has(this.step)) return;
    const keepsProcess = setInterval(() => undefined, 1000); // Waiting for a signal does not keep the process alive.
    await once(process, 'SIGCONT');
    clearInterval(keepsProcess);
  }

  private async disturbed<T>(phase: Phase, ask: () => Promise<T>): Promise<T> {
    const began = performance.now();
    const isTurn = phase === (this.step % 2 === 0 ? 'first' : 'second');
    const isDue = isTurn && this.steps.has(this.step);
    if (isDue) this.owed++;
    // A thread that is told to end before it is given a task loses that task too. In the second phase it is replaced.
    const isLate = !isDue && phase === 'first' && this.owed > 0;
    const loss = isDue ? this.loseLater(phase) : isLate ? this.loseThread() : undefined;
    const before = this.inner.health().lostWorkers;
    const [result] = await Promise.all([ask(), loss]);
    this.owed = Math.max(0, this.owed - (this.inner.health().lostWorkers - before));
    this.milliseconds[phase] = performance.now() - began;
    return result;
  }

  /** Loses a thread after a part of the time that this phase took last. */
  private async loseLater(phase: Phase): Promise<void> {
    const delay = ((this.step * GOLDEN_RATIO) % 1) * this.milliseconds[phase];
    // Timers have a resolution of 1 ms. The tasks reach their threads before the next turn of the event loop.
    await (delay < 1 ? setImmediate() : setTimeout(delay));
    await this.loseThread();
  }

  private async loseThread(): Promise<void> {
    await this.inner.loseThread?.(Math.max(0, this.step) % this.workers);
  }
}
