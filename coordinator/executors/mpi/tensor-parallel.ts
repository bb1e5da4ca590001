// Does tensor-parallel steps on the ranks of an MPI job. Each rank has the state of its tensor shards from the first
// step on. In a step:
//
//   rank 0   tells the step | forward pass               | loss | gradient at the logits to all | backward pass, update
//   others                  | forward pass, logits to it |      |                               | backward passes, updates
//
// A network with narrow layers in its middle has two more collectives of the same kind. Nothing is updated before the
// last one.
//
// The state of all tensor shards is sent to rank 0 only when it is read. Nothing has to be computed again, because a lost
// rank ends the job.

import type { Collective } from '../../../src/collectives/collective.js';
import { parameterCount } from '../../../src/models/models.js';
import type { Logits, TensorResult, TensorShardRange, TensorStep } from '../../../src/models/tensor-tasks.js';
import type { ToRank } from '../../../src/protocol/mpi-messages.js';
import { bytesOf, logitsFit, logitsFromWire, piecesOf } from '../../../src/protocol/tensor-codec.js';
import type { ShardPass } from '../../../worker/tensor-steps.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { assign } from '../assignment.js';
import type { DistributedTensors } from '../distributed-executor.js';
import { isSameCut, shardCountOf, type TensorCut, wholeOf } from '../tensor-cut.js';
import { misfit, type OtherRanks } from './other-ranks.js';

/** The ranges of tensor shards whose state the ranks have: rank r has ranges[r]. */
interface Held extends TensorCut {
  readonly ends: number[];
  readonly ranges: readonly TensorShardRange[];
}

export class MpiTensorParallel implements DistributedTensors {
  private held: Held | undefined;
  /** Whether the state that the other ranks hold is here as well. */
  private isHere = true;

  constructor(
    private readonly local: ThreadExecutor,
    private readonly collective: Collective,
    private readonly others: OtherRanks,
  ) {}

  async forward(step: TensorStep): Promise<ShardPass> {
    const held = await this.hold(step);
    if (step.unlabelledBatch > 0) await this.others.bringImages('unlabelled');
    return this.pass(held, step, 0, { kind: 'forward', step, ends: held.ends }, (mine) =>
      this.local.tensor.forward(step, mine),
    );
  }

  async settle(): Promise<void> {
    if (!this.held || this.isHere) return;
    const { model, shards, ends, ranges } = this.held;
    const { memory, regions } = this.local.arena;
    await this.others.tell({ kind: 'collect', model, shards, ends });
    const pieces = ranges.flatMap((range, rank) => {
      if (rank === 0 || isEmpty(range)) return [];
      return piecesOf(model, shards, range).map(({ region, start, end }) => {
        return { rank, bytes: new Uint8Array(memory.buffer, regions[region] + start, end - start) };
      });
    });
    await this.collective.exchange([], pieces);
    this.isHere = true;
  }

  async release(): Promise<void> {
    await this.settle();
    this.held = undefined;
  }

  overwritten(isWhole: boolean): void {
    if (!isWhole && !this.isHere) throw new Error('a part of a state that is elsewhere was overwritten');
    this.held = undefined;
    this.isHere = true;
  }

  /** Has all ranks do a pass; it is number `exchange` of its step. own: does the pass here. */
  private async pass(
    held: Held,
    step: TensorStep,
    exchange: number,
    message: Extract<ToRank, { kind: 'forward' | 'onward' }>,
    own: (mine: TensorShardRange) => Promise<readonly Logits[]>,
  ): Promise<ShardPass> {
    const [mine, ...theirs] = held.ranges as [TensorShardRange, ...TensorShardRange[]];
    const [here, answers] = await this.others.together(message, 'logits', async () => (isEmpty(mine) ? [] : own(mine)));
    const { pixels } = this.local.arena.shape;
    if (!answers.every(({ sums }, i) => logitsFit(sums, { step, exchange, range: theirs[i]! }, pixels))) throw misfit();
    return {
      ...wholeOf(held.ranges, [here, ...answers.map(({ sums }) => logitsFromWire(sums))], step),
      onward: (values) =>
        this.pass(held, step, exchange + 1, { kind: 'onward', values: bytesOf(values) }, () =>
          this.local.tensor.onward(values),
        ),
      backward: (values) => this.backward(held, values),
    };
  }

  private async backward({ model, ranges }: Held, values: Float32Array): Promise<TensorResult[]> {
    this.isHere = false;
    this.others.arenaSync.stateChanged(parameterCount(model));
    // The workers here get the values at once.
    const own = isEmpty(ranges[0]!) ? Promise.resolve([]) : this.local.tensor.backward(values);
    own.catch(() => undefined);
    await this.others.tell({ kind: 'backward', values: bytesOf(values) });
    return own;
  }

  /** Gives each rank the state of its tensor shards, unless it has it. */
  private async hold({ model, shards }: TensorStep): Promise<Held> {
    const cut = { model, shards };
    if (this.held && isSameCut(cut, this.held)) return this.held;
    await this.release();
    await this.others.arenaSync.bringState(parameterCount(model));
    const ends = assign(shardCountOf(cut), [this.local.workers, ...this.others.workers]);
    this.held = { ...cut, ends, ranges: ends.map((end, rank) => ({ first: ends[rank - 1] ?? 0, end })) };
    return this.held;
  }
}

const isEmpty = ({ first, end }: TensorShardRange): boolean => first === end;
