// Owns tensor-parallel steps over the ranks of a job: each rank has the state of its slices from the first step on. In a step:
//
//   rank 0   tells the step | forward pass               | loss | gradient at the logits to all | backward pass, update
//   others                  | forward pass, logits to it |      |                               | backward passes, updates
//
// A network with a narrow middle has two exchanges more, alike; nothing is updated before the last.
//
// The state of all slices comes here when somebody wants to read it: a rank that is lost ends the job, so nothing has to be done again.
import type { Collective } from '../../../src/collectives/collective.js';
import type { Logits, TensorResult, TensorShardRange, TensorStep } from '../../../src/engine/tensor-tasks.js';
import { layoutOf } from '../../../src/models/model.js';
import type { ToRank } from '../../../src/protocol/mpi-messages.js';
import { bytesOf, logitsFit, logitsFromWire, piecesOf } from '../../../src/protocol/tensor-codec.js';
import type { ShardPasses } from '../../../worker/tensor-steps.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { assign } from '../cluster/assignment.js';
import { wholeOf } from '../cluster/tensor-parallel.js';
import { slicesOf, type TensorCut } from '../cluster/tensor-shard-owner.js';
import { misfit } from './failures.js';
import type { OtherRanks } from './other-ranks.js';

/** Who has the state of which slices: rank r that of [ends[r - 1], ends[r]). */
interface Held {
  readonly cut: TensorCut;
  readonly ends: readonly number[];
}

export class MpiTensorParallel implements ShardPasses {
  private held: Held | undefined;
  /** Whether what the others hold is here as well. */
  private isHere = true;
  /** The step that waits for values, and how many exchanges it has had. */
  private asked: { readonly step: TensorStep; readonly exchange: number } | undefined;

  constructor(
    private readonly local: ThreadExecutor,
    private readonly collective: Collective,
    private readonly others: OtherRanks,
  ) {}

  async forward(step: TensorStep): Promise<Logits> {
    this.asked = undefined;
    const { ends } = await this.hold(step);
    if (step.unlabelledBatch > 0) await this.others.bringImages('unlabelled');
    return this.pass({ step, exchange: 0 }, { kind: 'forward', step, ends: [...ends] }, (mine) =>
      this.local.tensor.forward(step, mine),
    );
  }

  async onward(values: Float32Array): Promise<Logits> {
    const { asked } = this;
    if (!asked) throw new Error('a pass comes after a forward pass');
    this.asked = undefined;
    return this.pass({ ...asked, exchange: asked.exchange + 1 }, { kind: 'onward', values: bytesOf(values) }, () =>
      this.local.tensor.onward(values),
    );
  }

  async backward(values: Float32Array): Promise<TensorResult[]> {
    const { held } = this;
    if (!held || !this.asked) throw new Error('a backward pass comes after a forward pass');
    this.asked = undefined;
    this.isHere = false;
    this.others.stateChanged(layoutOf(held.cut.model).length);
    const [mine] = rangesOf(held.ends);
    // The workers here have it at once.
    const own = isEmpty(mine!) ? Promise.resolve([]) : this.local.tensor.backward(values);
    own.catch(() => undefined);
    await this.others.tell({ kind: 'backward', values: bytesOf(values) });
    return own;
  }

  /** Resolves when the whole state is in the arena here. */
  async settle(): Promise<void> {
    if (!this.held || this.isHere) return;
    const { cut, ends } = this.held;
    const { memory, regions } = this.local.arena;
    await this.others.tell({ kind: 'collect', ...cut, ends: [...ends] });
    const pieces = rangesOf(ends).flatMap((range, rank) => {
      if (rank === 0 || isEmpty(range)) return [];
      return piecesOf(cut.model, cut.shards, range).map(({ region, start, end }) => {
        return { rank, bytes: new Uint8Array(memory.buffer, regions[region] + start, end - start) };
      });
    });
    await this.collective.exchange([], pieces);
    this.local.parametersCame(0, layoutOf(cut.model).length * 4);
    this.isHere = true;
  }

  /** Resolves when the whole state is here and nobody else counts on theirs, so that others may change it. */
  async release(): Promise<void> {
    await this.settle();
    this.held = undefined;
  }

  /** The state here has been overwritten. */
  overwritten(isWhole: boolean): void {
    if (!isWhole && !this.isHere) throw new Error('a part of a state that is elsewhere was overwritten');
    this.held = undefined;
    this.isHere = true;
  }

  /** The sums over all slices of the pass that all ranks are told to do. */
  private async pass(
    asked: { readonly step: TensorStep; readonly exchange: number },
    message: Extract<ToRank, { kind: 'forward' | 'onward' }>,
    own: (mine: TensorShardRange) => Promise<readonly Logits[]>,
  ): Promise<Logits> {
    const [mine, ...theirs] = rangesOf(this.held!.ends) as [TensorShardRange, ...TensorShardRange[]];
    const [here, answers] = await this.others.together(message, 'logits', async () => (isEmpty(mine) ? [] : own(mine)));
    const { pixels } = this.local.arena.shape;
    if (!answers.every(({ sums }, i) => logitsFit(sums, { ...asked, range: theirs[i]! }, pixels))) throw misfit();
    this.asked = asked;
    return wholeOf([mine, ...theirs], [here, ...answers.map(({ sums }) => logitsFromWire(sums))], slicesOf(asked.step));
  }

  /** Gives each rank the state of its slices, where it has not. */
  private async hold({ model, shards }: TensorStep): Promise<Held> {
    const cut = { model, shards };
    if (this.held && JSON.stringify(this.held.cut) === JSON.stringify(cut)) return this.held;
    await this.release();
    await this.others.bringState(layoutOf(model).length);
    this.held = { cut, ends: assign(slicesOf(cut), [this.local.workers, ...this.others.workers]) };
    return this.held;
  }
}

const rangesOf = (ends: readonly number[]): TensorShardRange[] =>
  ends.map((end, rank) => ({ first: ends[rank - 1] ?? 0, end }));

const isEmpty = ({ first, end }: TensorShardRange): boolean => first === end;
