// Owns a node's part in steps whose gradients travel as low-rank factors, as its coordinator asks for it.
import { factoringOf } from '../src/engine/factors.js';
import { layoutOf } from '../src/engine/model.js';
import { PseudolabelError } from '../src/errors.js';
import { type Channel, MAX_BULK } from '../src/protocol/channel.js';
import { BULK_KINDS, type Reply, type ToCoordinator, type ToNode } from '../src/protocol/messages.js';
import type { LocalNode } from './node.js';

type Asked = Extract<ToNode, { kind: 'factor' }>;

export class FactorHost {
  constructor(
    private readonly node: LocalNode,
    private readonly channel: Channel<ToCoordinator, ToNode>,
    /** Of the wire; undefined where vectors travel. */
    readonly rank: number | undefined,
  ) {}

  async answer(message: Asked): Promise<Reply> {
    const { request, side } = message;
    this.check(message);
    const factors = await this.node.factors.factor(side, message);
    const bytes = new Uint8Array(factors.buffer, factors.byteOffset, factors.byteLength);
    for (let offset = 0; offset < bytes.length; offset += MAX_BULK) {
      const tag = { kind: BULK_KINDS.indexOf(side), step: 0, index: 0, attempt: request, offset };
      await this.channel.sendBulk(tag, bytes.subarray(offset, offset + MAX_BULK));
    }
    return { kind: 'factored' };
  }

  private check({ model, rank, shards }: Asked): void {
    const { shape } = this.node.arena;
    const { left, right } = factoringOf(model, rank);
    const fits =
      rank === this.rank &&
      Math.max(left, right) <= (shape.factors ?? 0) &&
      layoutOf(model).length <= shape.parameters &&
      shards.every((shard) => shard < shape.shards);
    if (fits) return;
    const message = 'the coordinator asked for factors that this node has no room for';
    throw new PseudolabelError('E_PROTOCOL', message, 'run the same version on all machines');
  }
}
