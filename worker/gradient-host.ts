// Owns a node's part in data-parallel steps, as its coordinator asks for it: gradients, whose sums are on their way while they are still computed.

import { type GradientCodec, sumEncoded } from '../src/collectives/gradient-codec.js';
import { CHUNK, GradientSums } from '../src/collectives/gradient-sum.js';
import { subtreesOf } from '../src/collectives/tree.js';
import { Progress } from '../src/engine/gradient-progress.js';
import type { GradientResult } from '../src/engine/tasks.js';
import { layoutOf } from '../src/models/model.js';
import type { Channel } from '../src/protocol/channel.js';
import { BULK_KINDS, type Reply, type ToCoordinator, type ToNode } from '../src/protocol/cluster-messages.js';
import { fromWire } from '../src/protocol/shard-step-codec.js';
import type { ThreadExecutor } from './thread-executor.js';

type Asked = Extract<ToNode, { kind: 'gradients' }>;

const withoutSpan = ({ span: _, ...result }: GradientResult) => result;

export class GradientHost {
  private readonly sums: GradientSums;
  private readonly progress: Progress;

  constructor(
    private readonly node: ThreadExecutor,
    private readonly channel: Channel<ToCoordinator, ToNode>,
    private readonly wire: GradientCodec,
  ) {
    this.sums = new GradientSums(node.arena);
    this.progress = new Progress(node.arena);
  }

  /** Resolves when the last sum has been sent; the reply goes before it, as soon as the gradients are there. */
  async serve(message: Asked, reply: (reply: Reply) => Promise<void>): Promise<void> {
    const { progress, node } = this;
    const steps = message.steps.map(fromWire);
    progress.begin(steps.map(({ shard }) => shard));
    const began = performance.now();
    const work = node.gradients(steps);
    const sent = this.sendSums(message, work);
    sent.catch(() => undefined); // with the work, which is waited for first, or with the channel
    const results = await work.catch(async (error: unknown) => {
      await sent.catch(() => undefined); // the next sums are not to be mixed up with these
      throw error;
    });
    const milliseconds = performance.now() - began;
    await reply({ kind: 'computed', results: results.map(withoutSpan), milliseconds });
    await sent;
  }

  /**
   * Chunk by chunk, those of all subtrees, each as soon as it is computed, so that the coordinator can sum the first while the next are on
   * their way. Slots are only read: a thread that dies may leave its own to be written again, by the same bits.
   */
  private async sendSums({ request, round, goesOn, steps }: Asked, work: Promise<unknown>): Promise<void> {
    const { wire, sums, progress, channel, node } = this;
    const { model, shards } = steps[0]!;
    const subtrees = subtreesOf(new Set(steps.map(({ shard }) => shard)), shards);
    const { length } = layoutOf(model);
    if (!goesOn) wire.reset();
    for (let start = 0; start < length; start += CHUNK) {
      const end = Math.min(start + CHUNK, length);
      for (const subtree of subtrees) {
        for (let shard = subtree.first; shard < subtree.first + subtree.count; shard++)
          await progress.until(shard, end, work);
        const by = sumEncoded(wire, node.arena, subtree);
        const { payload } = by.encode(sums.outgoing(subtree, start, end), start, end);
        const tag = { kind: BULK_KINDS.indexOf('sum'), step: round, index: subtree.first, attempt: request };
        await channel.sendBulk({ ...tag, offset: by.bytes(start) }, payload);
      }
    }
  }
}
