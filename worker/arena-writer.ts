// Owns what a coordinator may write into a node's arena, and where it goes.

import type { GradientCodec } from '../src/collectives/gradient-codec.js';
import type { ArenaShape } from '../src/engine/arena.js';
import type { BulkTag } from '../src/protocol/channel.js';
import { BULK_KINDS, type SentRegion } from '../src/protocol/cluster-messages.js';
import type { ThreadExecutor } from './thread-executor.js';

/** Bytes that are never cut in two. */
const UNITS = {
  ...{ images: 1, evaluationImages: 1, pseudoLabels: 1, confidences: 4 },
  ...{ parameters: 4, firstMoment: 4, secondMoment: 4 },
} as const satisfies Record<Exclude<SentRegion, 'total'>, number>;

/** Floats of a total that are rounded together. */
const WHOLE = 8;

export class ArenaWriter {
  private readonly capacity: Readonly<Record<SentRegion, number>>;

  constructor(
    private readonly node: ThreadExecutor,
    private readonly wire: GradientCodec,
  ) {
    this.capacity = capacities(node.arena.shape, wire);
  }

  /** Writes a part of an array. Returns false where there is no room for such a one, which no coordinator sends. */
  write({ kind, offset }: BulkTag, payload: Uint8Array): boolean {
    const region = BULK_KINDS[kind];
    if (region === undefined || region === 'sum' || offset + payload.length > this.capacity[region]) return false;
    const unit = region === 'total' ? this.wire.bytes(WHOLE) : UNITS[region];
    if (offset % unit !== 0 || payload.length % unit !== 0) return false;
    const { memory, regions } = this.node.arena;
    if (region === 'total') this.wire.decode(payload, regions.total, offset);
    else new Uint8Array(memory.buffer, regions[region] + offset, payload.length).set(payload);
    if (region === 'parameters') this.node.parametersCame(offset, offset + payload.length);
    return true;
  }
}

/** Bytes of each region, as they travel. */
function capacities(shape: ArenaShape, wire: GradientCodec): Record<SentRegion, number> {
  const { pixels, unlabelled, evaluation, parameters } = shape;
  const vector = parameters * 4;
  return {
    images: unlabelled * pixels,
    evaluationImages: evaluation * pixels,
    pseudoLabels: unlabelled,
    confidences: unlabelled * 4,
    parameters: vector,
    firstMoment: vector,
    secondMoment: vector,
    total: wire.bytes(parameters),
  };
}
