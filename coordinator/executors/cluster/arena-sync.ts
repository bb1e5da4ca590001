// Owns the likeness of a node's arena to the one here: it knows what differs, and sends it before it is needed.

import { shardRange } from '../../../src/data/shards.js';
import type { Arena } from '../../../src/engine/arena.js';
import type { ShardStep, TrainingState } from '../../../src/engine/executor.js';
import type { PredictTask } from '../../../src/engine/tasks.js';
import { MAX_BULK } from '../../../src/protocol/channel.js';
import { BULK_KINDS, type SentRegion } from '../../../src/protocol/cluster-messages.js';
import { VECTORS } from '../../../src/protocol/tensor-codec.js';
import type { Requests } from './requests.js';
import { StateMirror } from './state-mirror.js';

type Ranges = readonly (readonly [start: number, end: number])[];

export class ArenaSync {
  private readonly mirror = new StateMirror();

  /** idle: resolves when the node does nothing that reads or writes its arena, but for its images, which do not change. */
  constructor(
    private readonly requests: Requests,
    private readonly arena: Arena,
    private readonly idle: () => Promise<void>,
  ) {}

  /** Whether so many parameters and moments are alike, so that the same update keeps them so. */
  hasState(parameters: number): boolean {
    return VECTORS.every((region) => this.mirror.missing(region, 0, parameters * 4).length === 0);
  }

  /** Sends what of so many parameters and moments differs. This and all that follow reject with MemberLost. */
  async bringState(parameters: number): Promise<void> {
    for (const region of VECTORS) await this.bring(region, 0, parameters * 4);
  }

  /** Sends what of these floats of the parameters and moments differs. */
  async bringParts(parts: Ranges): Promise<void> {
    for (const region of VECTORS) for (const [start, end] of parts) await this.bring(region, start * 4, end * 4);
  }

  bringParameters(parameters: number): Promise<void> {
    return this.bring('parameters', 0, parameters * 4);
  }

  /** Images and, where it trains on them, labels of a shard. */
  async bringShard({ unlabelled, model, shard, shards }: ShardStep): Promise<void> {
    if (!unlabelled) return;
    const [start, end] = shardRange(this.arena.shape.unlabelled, shards, shard);
    await this.bringImages('unlabelled', [[start, end]]);
    if (unlabelled.pseudoLabels === 'fresh' || model.objective === 'reconstruction') return;
    await this.bring('pseudoLabels', start, end);
    await this.bring('confidences', start * 4, end * 4);
  }

  async bringImages(set: PredictTask['set'], ranges: Ranges): Promise<void> {
    const { pixels } = this.arena.shape;
    const region = set === 'unlabelled' ? 'images' : 'evaluationImages';
    for (const [start, end] of ranges) await this.bring(region, start * pixels, end * pixels);
  }

  /** Sends a part of the total, behind so many bytes that were sent before. */
  sendTotal(step: number, offset: number, payload: Uint8Array): Promise<void> {
    const tag = { kind: BULK_KINDS.indexOf('total'), step, index: 0, attempt: 0, offset };
    return this.requests.sendBulk(tag, payload);
  }

  /** The labels of these images have changed here, not there. */
  labelsChanged(ranges: Ranges): void {
    for (const [start, end] of ranges) {
      this.mirror.hasChanged('pseudoLabels', start, end);
      this.mirror.hasChanged('confidences', start * 4, end * 4);
    }
  }

  /** The labels of these images came from there. */
  labelsAlike(ranges: Ranges): void {
    for (const [start, end] of ranges) {
      this.mirror.isAlike('pseudoLabels', start, end);
      this.mirror.isAlike('confidences', start * 4, end * 4);
    }
  }

  /** These floats of the parameters and moments came from there. */
  partsAlike(parts: Ranges): void {
    for (const region of VECTORS) for (const [start, end] of parts) this.mirror.isAlike(region, start * 4, end * 4);
  }

  /** An update that was not made there has changed so many parameters and moments here. */
  stateChanged(parameters: number): void {
    for (const region of VECTORS) this.mirror.hasChanged(region, 0, parameters * 4);
  }

  /** So much of the state has been overwritten here. */
  overwritten(state: Partial<TrainingState>): void {
    for (const region of [...VECTORS, 'pseudoLabels', 'confidences'] as const) {
      this.mirror.hasChanged(region, 0, state[region]?.byteLength ?? 0);
    }
  }

  /** Makes the bytes [start, end) of a region the same there as they are here. */
  private async bring(region: SentRegion, start: number, end: number): Promise<void> {
    for (const [from, to] of this.mirror.missing(region, start, end)) {
      if (region !== 'images' && region !== 'evaluationImages') await this.idle();
      for (let at = from; at < to; at += MAX_BULK) await this.send(region, at, Math.min(at + MAX_BULK, to));
      this.mirror.isAlike(region, from, to);
    }
  }

  private send(region: SentRegion, start: number, end: number): Promise<void> {
    const { memory, regions } = this.arena;
    const tag = { kind: BULK_KINDS.indexOf(region), step: 0, index: 0, attempt: 0, offset: start };
    return this.requests.sendBulk(tag, new Uint8Array(memory.buffer, regions[region] + start, end - start));
  }
}
