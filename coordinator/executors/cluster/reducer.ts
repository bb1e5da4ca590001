// Owns the total that a step's update is made by: sums are added chunk by chunk as they come, and go on at once to those who follow.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import { CHUNK, GradientSums } from '../../../src/collectives/gradient-sum.js';
import type { Arena } from '../../../src/engine/arena.js';
import { layoutOf, type Model } from '../../../src/models/model.js';
import { notFinite } from '../failures.js';
import type { GradientRound } from './gradient-round.js';
import type { RemoteNode } from './remote-node.js';

export interface Summing {
  readonly round: GradientRound;
  readonly model: Model;
  readonly shards: number;
  readonly step: number;
  /** Those whose parameters and moments are as they are here. */
  readonly followers: readonly RemoteNode[];
}

export class Reducer {
  private readonly sums: GradientSums;

  constructor(
    private readonly arena: Arena,
    private readonly wire: GradientCodec,
  ) {
    this.sums = new GradientSums(arena);
  }

  /** Makes it here and at those who follow. Throws E_NOT_FINITE with the parameters as they were, everywhere. */
  async sumUp({ round, model, shards, step, followers }: Summing): Promise<void> {
    const { length } = layoutOf(model);
    for (let start = 0; start < length; start += CHUNK) {
      const end = Math.min(start + CHUNK, length);
      await round.gather(end);
      while (!this.isFinite(round, shards, start, end))
        if (!(await this.isMadeRight(round, start, end))) throw notFinite();
      const { payload, finite } = this.wire.encode(this.arena.regions.total, start, end);
      if (!finite) throw notFinite();
      for (const { updates } of followers) updates.sendTotal(step, this.wire.bytes(start), payload);
    }
  }

  private isFinite(round: GradientRound, shards: number, start: number, end: number): boolean {
    this.sums.arrived(round.subtrees());
    return this.sums.total(shards, start, end);
  }

  /** Whether sums that came from elsewhere were not finite, and have been made again here. */
  private isMadeRight(round: GradientRound, start: number, end: number): Promise<boolean> {
    return round.doubt('its sums are not finite, and its gradients are', ({ subtrees }) =>
      subtrees.some((subtree) => !this.sums.isFinite(subtree, start, end)),
    );
  }

  /** The next one is of something else: what rounding has left of this one is forgotten. */
  forget(): void {
    this.wire.reset();
  }
}
