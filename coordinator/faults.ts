// Owns faults on purpose: a node whose threads get lost in the middle of steps, to try recovery with real runs (--lose-worker).
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { TrainingState } from '../src/checkpoint.js';
import type { Model } from '../src/engine/model.js';
import type { Node, NodeHealth, ShardStep } from '../src/protocol/node.js';
import type { Logits, SlicedStep, SliceResult } from '../src/protocol/slices.js';
import type { GradientResult, OptimizerStep, PredictResult, PredictTask, UpdateResult } from '../src/protocol/tasks.js';
import type { LocalNode } from '../worker/node.js';

/** Gradients or a forward pass; an update or a backward pass. */
type Phase = 'first' | 'second';

/** Its steps without end make a number in [0, 1) that is all over the place, and the same in each run. */
const GOLDEN_RATIO = 0.618033988749895;

export class FaultyNode implements Node {
  readonly name: string;
  readonly workers: number;
  readonly writesInPlace: boolean;
  private step = -1;
  private readonly milliseconds: Record<Phase, number> = { first: 0, second: 0 };

  /** steps: in which a thread is lost, counted over all stages from 0; by turns in the first phase of a step and in the second. */
  constructor(
    private readonly node: LocalNode,
    private readonly steps: ReadonlySet<number>,
  ) {
    this.name = node.name;
    this.workers = node.workers;
    this.writesInPlace = node.writesInPlace;
  }

  health(): NodeHealth {
    return this.node.health();
  }

  gradients(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    this.step++;
    return this.disturbed('first', this.node.gradients(steps));
  }

  update(model: Model, shards: number, optimizer: OptimizerStep): Promise<UpdateResult[]> {
    return this.disturbed('second', this.node.update(model, shards, optimizer));
  }

  forward(step: SlicedStep): Promise<Logits> {
    this.step++;
    return this.disturbed('first', this.node.forward(step));
  }

  backward(gradient: Float32Array): Promise<SliceResult[]> {
    return this.disturbed('second', this.node.backward(gradient));
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

  private async disturbed<T>(phase: Phase, work: Promise<T>): Promise<T> {
    const began = performance.now();
    const isTurn = phase === (this.step % 2 === 0 ? 'first' : 'second');
    const [result] = await Promise.all([
      work,
      isTurn && this.steps.has(this.step) ? this.loseThread(phase) : undefined,
    ]);
    this.milliseconds[phase] = performance.now() - began;
    return result;
  }

  /** After a part of the time that the phase took last. */
  private async loseThread(phase: Phase): Promise<void> {
    const delay = ((this.step * GOLDEN_RATIO) % 1) * this.milliseconds[phase];
    // Timers have a resolution of 1 ms; the tasks are with their threads before the next turn of the event loop.
    await (delay < 1 ? setImmediate() : setTimeout(delay));
    await this.node.loseThread(this.step % this.workers);
  }
}
