// Owns what the coordinator and a node on another machine say to each other about tensor shards. Answers are checked before
// they count, and the state of a slice arrives as a whole or not at all.
import { createHash } from 'node:crypto';
import type { Arena } from '../../../src/engine/arena.js';
import { type Kernel, loadKernel } from '../../../src/engine/kernel/kernel.js';
import type { Logits, TensorShardRange, TensorStep } from '../../../src/engine/tensor-tasks.js';
import { roundParameters } from '../../../src/models/dense/rounded-parameters.js';
import { stateOf } from '../../../src/models/dense/tensor-layout.js';
import type { BulkTag } from '../../../src/protocol/channel.js';
import { BULK_KINDS, type ToNode } from '../../../src/protocol/cluster-messages.js';
import { bytesOf, logitsFit, logitsFromWire, piecesOf, type StatePiece } from '../../../src/protocol/tensor-codec.js';
import type { ArenaSync } from './arena-sync.js';
import type { MemberLost } from './member.js';
import { type Requests, unexpected } from './requests.js';
import type { Speed } from './speed.js';
import {
  bytesOfStep,
  type DoneStep,
  slicesOf,
  type TensorCut,
  type TensorShardOwner,
  workOf,
} from './tensor-shard-owner.js';

/** Of a message of steps to replay. */
const MOST_BYTES = 4 * 2 ** 20;

/** State on its way here. */
interface Collection {
  readonly request: number;
  readonly pieces: readonly StatePiece[];
  readonly arrived: Uint8Array[];
}

/** The step that it is at. */
interface Asked {
  readonly step: TensorStep;
  readonly range: TensorShardRange;
  readonly exchange: number;
  /** What its passes cost. */
  readonly rows: number;
}

export interface NodeOfTensorShards {
  readonly requests: Requests;
  /** The coordinator's. */
  readonly arena: Arena;
  readonly arenaSync: ArenaSync;
  readonly speed: Speed;
  readonly isLeaving: () => boolean;
  /** Ends the connection for what it sent. */
  readonly lose: (message: string) => MemberLost;
  /** It is told how many slices it holds from now on. */
  readonly holds: (count: number) => void;
}

export class RemoteTensorShards implements TensorShardOwner {
  readonly isHere = false;
  private collection: Collection | undefined;
  private asked: Asked | undefined;
  private readonly kernel: Kernel;

  constructor(private readonly node: NodeOfTensorShards) {
    this.kernel = loadKernel(node.arena.memory);
  }

  get isLeaving(): boolean {
    return this.node.isLeaving();
  }

  async take(cut: TensorCut, range: TensorShardRange): Promise<void> {
    this.node.holds(range.end - range.first);
    await this.node.arenaSync.bringParts(stateOf(cut.model, slicesOf(cut), range));
  }

  async replay(steps: readonly DoneStep[], range: TensorShardRange): Promise<void> {
    const { requests, arenaSync, arena } = this.node;
    for (const batch of batchesOf(steps)) {
      // Without labels, which were taken then: the rows are the same.
      const wire = batch.map(({ step, given }) => {
        return { step: { ...step, labelsFresh: false }, given: given.map(bytesOf) };
      });
      for (const { step } of batch) await this.bringImages(step);
      const message = { kind: 'replay', request: requests.next(), ...range, steps: wire } as const;
      arenaSync.stateChanged(arena.shape.parameters);
      await requests.ask(message, 'replay', wire.length * this.work(batch[0]!.step, range));
    }
  }

  async forward(step: TensorStep, range: TensorShardRange): Promise<readonly Logits[]> {
    const { requests } = this.node;
    await this.bringImages(step);
    const message = { kind: 'forward', request: requests.next(), step, ...range } as const;
    const kind = `logits of stage ${step.stage}${step.labelsFresh ? ', labels fresh' : ''}`;
    return this.sums({ step, range, exchange: 0, rows: this.work(step, range) }, message, kind);
  }

  onward(values: Float32Array): Promise<readonly Logits[]> {
    const { exchange, ...asked } = this.goingOn();
    const message = { kind: 'onward', request: this.node.requests.next(), values: bytesOf(values) } as const;
    return this.sums(
      { ...asked, exchange: exchange + 1 },
      message,
      `pass ${exchange + 1} of stage ${asked.step.stage}`,
    );
  }

  async backward(values: Float32Array): Promise<[]> {
    const { requests, speed } = this.node;
    const { rows, step } = this.goingOn();
    const message = { kind: 'backward', request: requests.next(), values: bytesOf(values) } as const;
    const { milliseconds } = await requests.ask(message, `slices of stage ${step.stage}`, rows);
    speed.add(rows, milliseconds);
    return [];
  }

  async give({ model, shards }: TensorCut, range: TensorShardRange): Promise<void> {
    const { requests, arenaSync, arena, lose } = this.node;
    const pieces = piecesOf(model, shards, range);
    const request = requests.next();
    const collection: Collection = { request, pieces, arrived: [] };
    this.collection = collection;
    const bytes = pieces.reduce((sum, { start, end }) => sum + end - start, 0);
    const message = { kind: 'collect', request, model, shards, ...range } as const;
    const { sha256 } = await requests.ask(message, 'state', bytes);
    const hash = createHash('sha256');
    for (const piece of collection.arrived) hash.update(piece);
    if (hash.digest('hex') !== sha256) throw lose('its state is not what it sent');
    pieces.forEach(({ region, start }, i) => {
      new Uint8Array(arena.memory.buffer, arena.regions[region] + start).set(collection.arrived[i]!);
    });
    for (const [start, end] of stateOf(model, slicesOf({ model, shards }), range))
      roundParameters(arena, this.kernel, end, start);
    this.collection = undefined;
    arenaSync.partsAlike(stateOf(model, slicesOf({ model, shards }), range));
  }

  release(): void {
    this.node.holds(0);
  }

  lose(why: string): void {
    this.node.lose(why);
  }

  /** A frame of state. Throws E_PROTOCOL; one that comes a second time is dropped. */
  frame({ kind, attempt, offset }: BulkTag, payload: Uint8Array): void {
    const { request, pieces, arrived } = this.collection ?? { request: undefined, pieces: [], arrived: [] };
    const fits = (piece: StatePiece | undefined) =>
      piece !== undefined &&
      BULK_KINDS[kind] === piece.region &&
      offset === piece.start &&
      payload.length === piece.end - piece.start;
    if (attempt === request && fits(pieces[arrived.length])) arrived.push(new Uint8Array(payload));
    else if (attempt !== request || !fits(pieces[arrived.length - 1]))
      throw unexpected(`it sent an array of kind ${kind} that was not asked for`);
  }

  /** Every slice sees all rows, which are drawn from all images. */
  private async bringImages({ unlabelledBatch }: TensorStep): Promise<void> {
    const { arenaSync, arena } = this.node;
    if (unlabelledBatch > 0) await arenaSync.bringImages('unlabelled', [[0, arena.shape.unlabelled]]);
  }

  private work(step: TensorStep, range: TensorShardRange): number {
    return workOf(step, range, this.node.arena.shape.pixels);
  }

  private goingOn(): Asked {
    if (!this.asked) throw new Error('a pass comes after a forward pass');
    return this.asked;
  }

  private async sums(
    asked: Asked,
    message: Extract<ToNode, { kind: 'forward' | 'onward' }>,
    kind: string,
  ): Promise<readonly Logits[]> {
    const { requests, arena, lose } = this.node;
    this.asked = asked;
    const { sums } = await requests.ask(message, kind, asked.rows);
    if (!logitsFit(sums, asked, arena.shape.pixels)) throw lose('its logits do not fit the step');
    return logitsFromWire(sums);
  }
}

function batchesOf(steps: readonly DoneStep[]): DoneStep[][] {
  const batches: DoneStep[][] = [];
  let room = 0;
  for (const done of steps) {
    const bytes = bytesOfStep(done);
    if (room < bytes) {
      batches.push([]);
      room = Math.max(bytes, MOST_BYTES);
    }
    batches.at(-1)!.push(done);
    room -= bytes;
  }
  return batches;
}
