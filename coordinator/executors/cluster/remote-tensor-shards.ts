// Has a node on another machine compute tensor shards. Its answers are checked before they are used. The state of a
// tensor shard is taken as a whole or not at all.
import { createHash } from 'node:crypto';
import type { Arena } from '../../../src/engine/arena.js';
import { stateOf } from '../../../src/models/dense/tensor-layout.js';
import type { TensorShardRange, TensorStep } from '../../../src/models/tensor-tasks.js';
import type { BulkTag } from '../../../src/protocol/channel.js';
import { BULK_KINDS } from '../../../src/protocol/cluster-messages.js';
import { bytesOf, logitsFit, logitsFromWire, piecesOf, type StatePiece } from '../../../src/protocol/tensor-codec.js';
import type { ArenaSync } from '../arena-sync.js';
import { unexpectedError } from '../failures.js';
import { shardCountOf, type TensorCut } from '../tensor-cut.js';
import { type MachineLost, type MachinePass, type Speed, type TensorShardOwner, workOf } from './machine.js';
import { bytesOfStep, type DoneStep } from './replay-log.js';
import type { Question, Requests } from './requests.js';

/** The most bytes of a message of steps to replay. */
const MOST_BYTES = 4 * 2 ** 20;

/** State that is on its way to the coordinator. */
interface Collection {
  readonly request: number;
  readonly pieces: readonly StatePiece[];
  readonly arrived: Uint8Array[];
}

/** A pass that the node is asked for; it is number `exchange` of its step. */
interface Asked {
  readonly step: TensorStep;
  readonly range: TensorShardRange;
  readonly exchange: number;
}

/** The part of a node that is used here. */
export interface TensorNode {
  readonly requests: Requests;
  /** The coordinator's arena. */
  readonly arena: Arena;
  readonly arenaSync: ArenaSync;
  readonly measured: Speed;
  readonly isLeaving: boolean;
  /** Ends the connection because of what the node sent. */
  lose(message: string): MachineLost;
  /** Sets the number of tensor shards that the node owns. */
  owns(tensorShards: number): void;
}

export class RemoteTensorShards implements TensorShardOwner {
  readonly isHere = false;
  private collection: Collection | undefined;

  constructor(private readonly node: TensorNode) {}

  get isLeaving(): boolean {
    return this.node.isLeaving;
  }

  async take(cut: TensorCut, range: TensorShardRange): Promise<void> {
    this.node.owns(range.end - range.first);
    await this.node.arenaSync.bringParts(stateOf(cut.model, shardCountOf(cut), range));
  }

  async replay(steps: readonly DoneStep[], range: TensorShardRange): Promise<void> {
    const { requests, arenaSync, arena } = this.node;
    for (const batch of batchesOf(steps)) {
      // The steps need no fresh labels: the coordinator took those when they were first done. The rows are the same.
      const sent = batch.map(({ step, given }) => {
        return { step: { ...step, labelsFresh: false }, given: given.map(bytesOf) };
      });
      for (const { step } of batch) await this.bringImages(step);
      arenaSync.stateChanged(arena.shape.parameterCount);
      const work = sent.length * this.work(batch[0]!.step, range);
      await requests.ask({ kind: 'replay', ...range, steps: sent }, 'replay', work);
    }
  }

  async forward(step: TensorStep, range: TensorShardRange): Promise<MachinePass> {
    await this.bringImages(step);
    const kind = `logits of stage ${step.stage}${step.labelsFresh ? ', labels fresh' : ''}`;
    return this.pass({ step, range, exchange: 0 }, { kind: 'forward', step, ...range }, kind);
  }

  async give({ model, shards }: TensorCut, range: TensorShardRange): Promise<void> {
    const { requests, arenaSync, arena } = this.node;
    const pieces = piecesOf(model, shards, range);
    const bytes = pieces.reduce((sum, { start, end }) => sum + end - start, 0);
    const arrived: Uint8Array[] = [];
    const question = { kind: 'collect', model, shards, ...range } as const;
    const { sha256 } = await requests.ask(question, 'state', bytes, (request) => {
      this.collection = { request, pieces, arrived };
    });
    const hash = createHash('sha256');
    for (const piece of arrived) hash.update(piece);
    if (hash.digest('hex') !== sha256) throw this.node.lose('its state is not what it sent');
    pieces.forEach(({ region, start }, i) => {
      new Uint8Array(arena.memory.buffer, arena.regions[region] + start).set(arrived[i]!);
    });
    const parts = stateOf(model, shardCountOf({ model, shards }), range);
    this.collection = undefined;
    arenaSync.partsAlike(parts);
  }

  release(): void {
    this.node.owns(0);
  }

  lose(why: string): void {
    this.node.lose(why);
  }

  /** Takes a frame of state. Drops a frame that comes a second time. Throws E_PROTOCOL. */
  frame({ kind, attempt, offset }: BulkTag, payload: Uint8Array): void {
    const { request, pieces, arrived } = this.collection ?? { request: undefined, pieces: [], arrived: [] };
    const fits = (piece: StatePiece | undefined) =>
      piece !== undefined &&
      BULK_KINDS[kind] === piece.region &&
      offset === piece.start &&
      payload.length === piece.end - piece.start;
    if (attempt === request && fits(pieces[arrived.length])) arrived.push(new Uint8Array(payload));
    else if (attempt !== request || !fits(pieces[arrived.length - 1]))
      throw unexpectedError(`it sent an array of kind ${kind} that was not asked for`);
  }

  private async pass(
    asked: Asked,
    question: Question<'forward'> | Question<'onward'>,
    kind: string,
  ): Promise<MachinePass> {
    const { requests, arena, measured } = this.node;
    const { step, range, exchange } = asked;
    const work = this.work(step, range);
    const { sums } = await requests.ask(question, kind, work);
    if (!logitsFit(sums, asked, arena.shape.pixels)) throw this.node.lose('its logits do not fit the step');
    return {
      sums: logitsFromWire(sums),
      onward: (values) =>
        this.pass(
          { step, range, exchange: exchange + 1 },
          { kind: 'onward', values: bytesOf(values) },
          `pass ${exchange + 1} of stage ${step.stage}`,
        ),
      backward: async (values) => {
        const update = { kind: 'backward', values: bytesOf(values) } as const;
        const { milliseconds } = await requests.ask(update, `tensor shards of stage ${step.stage}`, work);
        measured.add(work, milliseconds);
        return [];
      },
    };
  }

  /** Sends all unlabelled images, because every tensor shard sees all rows, which are drawn from all images. */
  private async bringImages({ unlabelledBatch }: TensorStep): Promise<void> {
    const { arenaSync, arena } = this.node;
    if (unlabelledBatch > 0) await arenaSync.bringImages('unlabelled', [[0, arena.shape.unlabelled]]);
  }

  private work(step: TensorStep, range: TensorShardRange): number {
    return workOf(step, range, this.node.arena.shape.pixels);
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
