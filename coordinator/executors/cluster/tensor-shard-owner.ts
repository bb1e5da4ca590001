// Owns what the coordinator asks of those who hold tensor shards, its own threads and other machines alike.

import type { Logits, TensorResult, TensorShardRange, TensorStep } from '../../../src/engine/tensor-tasks.js';
import { tensorShardCount } from '../../../src/models/dense/tensor-layout.js';
import type { Model } from '../../../src/models/model.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import type { Speed } from './speed.js';

/** How the hidden units of a model are cut. */
export interface TensorCut {
  readonly model: Model;
  readonly shards: number;
}

export const slicesOf = ({ model, shards }: TensorCut): number => tensorShardCount(model, shards);

/** A step that has been done, with all that a slice needs to do it again alone: what came down to it in each exchange. */
export interface DoneStep {
  readonly step: TensorStep;
  readonly given: readonly Float32Array[];
}

export const bytesOfStep = ({ step, given }: DoneStep): number =>
  given.reduce((sum, { byteLength }) => sum + byteLength, step.labelledImages.length);

/** All but release() reject with MemberLost where the holder is another machine. */
export interface TensorShardOwner {
  /** Whether its state is in the arena here. */
  readonly isHere: boolean;
  /** Whether it wants to go as soon as its state is here. */
  readonly isLeaving: boolean;
  /** Makes the state of these slices there what it is here. */
  take(cut: TensorCut, range: TensorShardRange): Promise<void>;
  replay(steps: readonly DoneStep[], range: TensorShardRange): Promise<void>;
  /** The sum of each subtree of slices that the range is made of. */
  forward(step: TensorStep, range: TensorShardRange): Promise<readonly Logits[]>;
  /** The same of the next pass of that step, for which these values have come. */
  onward(values: Float32Array): Promise<readonly Logits[]>;
  /** Takes the values after the last pass. Resolves when the slices are updated. Results: of workers here. */
  backward(values: Float32Array): Promise<readonly TensorResult[]>;
  /** Makes the state of these slices here what it is there. */
  give(cut: TensorCut, range: TensorShardRange): Promise<void>;
  /** It holds no slices any longer. */
  release(): void;
  /** Sends it away for what it sent, where it is another machine. */
  lose(why: string): void;
}

/** The coordinator's own threads. Their slices are in its arena, and a lost thread is replaced by its node. */
export class LocalTensorShards implements TensorShardOwner {
  readonly isHere = true;
  readonly isLeaving = false;
  /** Of the step's slices: rows of the whole model that would cost as much. */
  private rows = 0;
  /** Slices of its last step. */
  count = 0;

  constructor(
    private readonly node: ThreadExecutor,
    private readonly speed: Speed,
  ) {}

  async take(): Promise<void> {}

  async replay(steps: readonly DoneStep[], range: TensorShardRange): Promise<void> {
    for (const { step, given } of steps) await this.node.tensor.replay(step, given, range);
  }

  async forward(step: TensorStep, range: TensorShardRange): Promise<readonly Logits[]> {
    this.rows = workOf(step, range, this.node.arena.shape.pixels);
    this.count = range.end - range.first;
    await othersAreAsked();
    return this.node.tensor.forward(step, range);
  }

  async onward(values: Float32Array): Promise<readonly Logits[]> {
    await othersAreAsked();
    return this.node.tensor.onward(values);
  }

  async backward(values: Float32Array): Promise<readonly TensorResult[]> {
    await othersAreAsked();
    const results = await this.node.tensor.backward(values);
    const times = results.map(({ milliseconds: { input, forward, backward } }) => input + forward + backward);
    this.speed.add(this.rows, Math.max(...times));
    return results;
  }

  async give(): Promise<void> {}

  release(): void {}

  lose(): void {}
}

/**
 * Resolves when the sockets have what was sent just now. A worker here that is woken up first takes the core that the main thread is on, where
 * there are no more cores than workers, and the others would wait for milliseconds.
 */
const othersAreAsked = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** Rows of a step by all slices that cost as much as those of a step by some. */
export function workOf(step: TensorStep, { first, end }: TensorShardRange, pixels: number): number {
  const rows = step.labelledImages.length / pixels + step.unlabelledBatch;
  return (rows * (end - first)) / slicesOf(step);
}
