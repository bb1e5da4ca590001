// Owns a rank's part in tensor-parallel steps: passes over its slices, and their state when rank 0 wants it.
import type { Collective } from '../src/collectives/collective.js';
import type { TensorShardRange } from '../src/engine/tensor-tasks.js';
import { floatsOf } from '../src/protocol/floats.js';
import { logitsToWire, type WireLogits } from '../src/protocol/logits-codec.js';
import type { ToRank } from '../src/protocol/mpi-messages.js';
import { piecesOf } from '../src/protocol/tensor-state.js';
import type { ThreadExecutor } from './thread-executor.js';

type Command<K extends ToRank['kind']> = Omit<Extract<ToRank, { kind: K }>, 'kind'>;

export class MpiTensorRank {
  /** A layer may have fewer slices than there are ranks. */
  private hasAny = false;

  constructor(
    private readonly collective: Collective,
    private readonly node: ThreadExecutor,
  ) {}

  async forward({ step, ends }: Command<'forward'>): Promise<WireLogits[]> {
    const range = this.mine(ends);
    this.hasAny = range.first < range.end;
    return this.hasAny ? logitsToWire(await this.node.tensor.forward(step, range)) : [];
  }

  async onward({ values }: Command<'onward'>): Promise<WireLogits[]> {
    return this.hasAny ? logitsToWire(await this.node.tensor.onward(floatsOf(values))) : [];
  }

  async backward({ values }: Command<'backward'>): Promise<void> {
    if (this.hasAny) await this.node.tensor.backward(floatsOf(values));
  }

  async collect({ model, shards, ends }: Command<'collect'>): Promise<void> {
    const range = this.mine(ends);
    const { memory, regions } = this.node.arena;
    const pieces = range.first < range.end ? piecesOf(model, shards, range) : [];
    await this.collective.exchange(
      pieces.map(({ region, start, end }) => {
        return { rank: 0, bytes: new Uint8Array(memory.buffer, regions[region] + start, end - start) };
      }),
      [],
    );
  }

  private mine(ends: readonly number[]): TensorShardRange {
    const { rank } = this.collective;
    return { first: ends[rank - 1]!, end: ends[rank]! };
  }
}
