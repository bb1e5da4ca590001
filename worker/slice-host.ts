// Owns a node's part in steps by hidden units, as its coordinator asks for it: passes over its slices, and their state when it is wanted.
import { createHash } from 'node:crypto';
import { exchangesOf, widthsOf } from '../src/engine/pairs.js';
import { rowCountsOf } from '../src/engine/slices.js';
import type { Channel } from '../src/protocol/channel.js';
import { floatsOf } from '../src/protocol/floats.js';
import { logitsToWire } from '../src/protocol/logits.js';
import { BULK_KINDS, type Reply, type ToCoordinator, type ToNode } from '../src/protocol/messages.js';
import { piecesOf } from '../src/protocol/slice-state.js';
import type { SlicedStep, SliceResult } from '../src/protocol/slices.js';
import { notAsked } from './asked.js';
import type { LocalNode } from './node.js';

type Asked = Extract<ToNode, { kind: 'forward' | 'onward' | 'backward' | 'replay' | 'collect' }>;

export class SliceHost {
  constructor(
    private readonly node: LocalNode,
    private readonly channel: Channel<ToCoordinator, ToNode>,
  ) {}

  async answer(message: Asked): Promise<Reply> {
    const { sliced } = this.node;
    switch (message.kind) {
      case 'forward':
        return { kind: 'logits', sums: logitsToWire(await sliced.forward(message.step, message)) };
      case 'onward':
        return { kind: 'logits', sums: logitsToWire(await sliced.onward(this.given(message, false))) };
      case 'backward':
        return { kind: 'updated', milliseconds: slowest(await sliced.backward(this.given(message, true))) };
      case 'replay': {
        if (!message.steps.every(isWhole(this.node.arena.shape.pixels)))
          throw notAsked('values that do not fit a step');
        let milliseconds = 0;
        for (const { step, given } of message.steps) {
          milliseconds += slowest(await sliced.replay(step, given.map(floatsOf), message));
        }
        return { kind: 'updated', milliseconds };
      }
      case 'collect':
        return { kind: 'collected', sha256: await this.sendState(message) };
    }
  }

  /** The values of a message, if the pass before it waits for so many, and for those of the last pass or of another. */
  private given({ values }: { readonly values: Uint8Array }, isLast: boolean): Float32Array {
    const { awaited } = this.node.sliced;
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
  ({ step, given }: { readonly step: SlicedStep; readonly given: readonly Uint8Array[] }): boolean => {
    const { rows } = rowCountsOf(step.labelledImages.length / pixels, step);
    const exchanges = exchangesOf(step.model);
    const lengths = exchanges.map((exchange) => widthsOf(step.model, exchange).down * rows * 4);
    return given.length === lengths.length && given.every((values, i) => values.length === lengths[i]);
  };

/** Of computing: to wait for the gradient is not its fault. */
function slowest(results: readonly SliceResult[]): number {
  return Math.max(...results.map(({ milliseconds: { input, forward, backward } }) => input + forward + backward));
}
