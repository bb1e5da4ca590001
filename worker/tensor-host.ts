// Owns a node's part in tensor-parallel steps, as its coordinator asks for it: passes over its slices, and their state when it is wanted.
import { createHash } from 'node:crypto';
import type { TensorResult, TensorStep } from '../src/engine/tensor-tasks.js';
import { exchangesOf, widthsOf } from '../src/models/dense/tensor-blocks.js';
import { rowCountsOf } from '../src/models/dense/tensor-layout.js';
import type { Channel } from '../src/protocol/channel.js';
import { BULK_KINDS, type Reply, type ToCoordinator, type ToNode } from '../src/protocol/cluster-messages.js';
import { floatsOf } from '../src/protocol/floats.js';
import { logitsToWire } from '../src/protocol/logits-codec.js';
import { piecesOf } from '../src/protocol/tensor-state.js';
import { notAsked } from './request-checks.js';
import type { ThreadExecutor } from './thread-executor.js';

type Asked = Extract<ToNode, { kind: 'forward' | 'onward' | 'backward' | 'replay' | 'collect' }>;

export class TensorHost {
  constructor(
    private readonly node: ThreadExecutor,
    private readonly channel: Channel<ToCoordinator, ToNode>,
  ) {}

  async answer(message: Asked): Promise<Reply> {
    const { tensor } = this.node;
    switch (message.kind) {
      case 'forward':
        return { kind: 'logits', sums: logitsToWire(await tensor.forward(message.step, message)) };
      case 'onward':
        return { kind: 'logits', sums: logitsToWire(await tensor.onward(this.given(message, false))) };
      case 'backward':
        return { kind: 'updated', milliseconds: slowest(await tensor.backward(this.given(message, true))) };
      case 'replay': {
        if (!message.steps.every(isWhole(this.node.arena.shape.pixels)))
          throw notAsked('values that do not fit a step');
        let milliseconds = 0;
        for (const { step, given } of message.steps) {
          milliseconds += slowest(await tensor.replay(step, given.map(floatsOf), message));
        }
        return { kind: 'updated', milliseconds };
      }
      case 'collect':
        return { kind: 'collected', sha256: await this.sendState(message) };
    }
  }

  /** The values of a message, if the pass before it waits for so many, and for those of the last pass or of another. */
  private given({ values }: { readonly values: Uint8Array }, isLast: boolean): Float32Array {
    const { awaited } = this.node.tensor;
    if (!awaited || awaited.isLast !== isLast || values.length !== awaited.floats * 4)
      throw notAsked('values that no pass waits for');
    return floatsOf(values);
  }

  private async sendState({ request, model, shards, ...range }: Extract<Asked, { kind: 'collect' }>): Promise<string> {
    const { memory, regions } = this.node.arena;
    const hash = createHash('sha256');
    for (const { region, start, end } of piecesOf(model, shards, range)) {
      const piece = new Uint8Array(memory.buffer, regions[region] + start, end - start);
      hash.update(piece);
      const tag = { kind: BULK_KINDS.indexOf(region), step: 0, index: 0, attempt: request, offset: start };
      await this.channel.sendBulk(tag, piece);
    }
    return hash.digest('hex');
  }
}

/** Whether a step that is done again has the values of each of its exchanges. */
const isWhole =
  (pixels: number) =>
  ({ step, given }: { readonly step: TensorStep; readonly given: readonly Uint8Array[] }): boolean => {
    const { rows } = rowCountsOf(step.labelledImages.length / pixels, step);
    const exchanges = exchangesOf(step.model);
    const lengths = exchanges.map((exchange) => widthsOf(step.model, exchange).down * rows * 4);
    return given.length === lengths.length && given.every((values, i) => values.length === lengths[i]);
  };

/** Of computing: to wait for the gradient is not its fault. */
function slowest(results: readonly TensorResult[]): number {
  return Math.max(...results.map(({ milliseconds: { input, forward, backward } }) => input + forward + backward));
}
