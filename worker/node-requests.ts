// Computes what a cluster node or an MPI rank is asked for, and sends the results of a cluster node.

import { createHash } from 'node:crypto';
import { sha256OfParameters } from '../src/checksum.js';
import type { GradientCodec } from '../src/collectives/gradient-codec.js';
import { CHUNK, GradientSums } from '../src/collectives/gradient-sum.js';
import { subtreesOf } from '../src/collectives/tree.js';
import { floats } from '../src/engine/arena.js';
import { GradientProgress } from '../src/engine/gradient-progress.js';
import { PseudolabelError } from '../src/errors.js';
import { exchangesOf, widthsOf } from '../src/models/dense/tensor-blocks.js';
import { rowCountsOf } from '../src/models/dense/tensor-layout.js';
import { parameterCount } from '../src/models/models.js';
import type { TensorResult, TensorStep } from '../src/models/tensor-tasks.js';
import {
  BULK_KINDS,
  type CoordinatorChannel,
  type ReadByNode,
  type Reply,
  type ToCoordinator,
} from '../src/protocol/cluster-messages.js';
import { fromWire } from '../src/protocol/fields.js';
import { bytesOf, floatsOf, logitsToWire, piecesOf } from '../src/protocol/tensor-codec.js';
import { notAsked } from './request-checks.js';
import type { ThreadExecutor } from './thread-executor.js';

type Asked<K extends ReadByNode['kind']> = Extract<ReadByNode, { kind: K }>;
type Said<K extends ToCoordinator['kind']> = Omit<Extract<ToCoordinator, { kind: K }>, 'request' | 'lostWorkers'>;

/** Makes the answer to a request that failed. */
export function failureOf(error: unknown): Said<'failed'> {
  const message = error instanceof Error ? error.message : String(error);
  const { code, fix } = error instanceof PseudolabelError ? error : { code: null, fix: '' };
  return { kind: 'failed', code, message, fix };
}

/** Computes the gradients of these shards. The results have no spans, because the clocks of two machines differ. */
export async function gradientResults(
  executor: ThreadExecutor,
  { model, steps }: Pick<Asked<'gradients'>, 'model' | 'steps'>,
): Promise<Said<'computed'>['results']> {
  const found = await executor.computeGradients(steps.map((step) => fromWire(model, step)));
  return found.map(({ span: _, ...result }) => result);
}

export async function predictions(
  executor: ThreadExecutor,
  { model, set, ranges }: Pick<Asked<'predict'>, 'model' | 'set' | 'ranges'>,
): Promise<Said<'predicted'>> {
  const found = await executor.predict(model, set, ranges);
  const results = found.map(({ classes, confidences, milliseconds }) => {
    return { classes: bytesOf(classes), confidences: bytesOf(confidences), milliseconds };
  });
  return { kind: 'predicted', results };
}

export function digestOf({ arena }: ThreadExecutor, { parameterCount }: Pick<Asked<'checksum'>, 'parameterCount'>) {
  return { kind: 'digest', sha256: sha256OfParameters(floats(arena, 'parameters', parameterCount)) } as const;
}

/** Computes gradients for the coordinator of a cluster, and sends their sums while others are still computed. */
export class GradientHost {
  private readonly sums: GradientSums;
  private readonly progress: GradientProgress;

  constructor(
    private readonly executor: ThreadExecutor,
    private readonly channel: CoordinatorChannel,
    private readonly wire: GradientCodec,
  ) {
    this.sums = new GradientSums(executor.arena);
    this.progress = new GradientProgress(executor.arena);
  }

  /** Serves a request. Replies as soon as the gradients are there, and resolves when the last sum has been sent. */
  async serve(message: Asked<'gradients'>, reply: (reply: Reply) => Promise<void>): Promise<void> {
    this.progress.begin(message.steps.map(({ shard }) => shard));
    const began = performance.now();
    const work = gradientResults(this.executor, message);
    const sent = this.sendSums(message, work);
    sent.catch(() => undefined); // It fails with the work, which is awaited first, or with the channel.
    const results = await work.catch(async (error: unknown) => {
      await sent.catch(() => undefined); // Otherwise these sums would mix with the next ones.
      throw error;
    });
    const milliseconds = performance.now() - began;
    await reply({ kind: 'computed', results, milliseconds });
    await sent;
  }

  /**
   * Sends the sums of all subtrees chunk by chunk, each as soon as it is computed. So the coordinator can sum the first
   * chunk while the next ones are on their way. Gradient buffers are only read here, because the task of a lost thread
   * writes the same bits to its own buffer again.
   */
  private async sendSums(
    { request, round, goesOn, model, steps }: Asked<'gradients'>,
    work: Promise<unknown>,
  ): Promise<void> {
    const { wire, sums, progress, channel } = this;
    const { shards } = steps[0]!;
    const subtrees = subtreesOf(new Set(steps.map(({ shard }) => shard)), shards);
    const length = parameterCount(model);
    if (!goesOn) wire.reset();
    for (let start = 0; start < length; start += CHUNK) {
      const end = Math.min(start + CHUNK, length);
      for (const subtree of subtrees) {
        for (let shard = subtree.first; shard < subtree.first + subtree.count; shard++)
          await progress.until(shard, end, work);
        const { payload } = wire.encode(sums.outgoing(subtree, start, end), start, end);
        const tag = { kind: BULK_KINDS.indexOf('sum'), step: round, index: subtree.first, attempt: request };
        await channel.sendBulk({ ...tag, offset: wire.bytes(start) }, payload);
      }
    }
  }
}

/** Does the passes of tensor-parallel steps for the coordinator of a cluster, and sends the state of tensor shards. */
export class TensorHost {
  constructor(
    private readonly executor: ThreadExecutor,
    private readonly channel: CoordinatorChannel,
  ) {}

  async answer(message: Asked<'forward' | 'onward' | 'backward' | 'replay' | 'collect'>): Promise<Reply> {
    const { tensor } = this.executor;
    switch (message.kind) {
      case 'forward':
        return { kind: 'logits', sums: logitsToWire(await tensor.forward(message.step, message)) };
      case 'onward':
        return { kind: 'logits', sums: logitsToWire(await tensor.onward(this.given(message, false))) };
      case 'backward':
        return { kind: 'updated', milliseconds: slowest(await tensor.backward(this.given(message, true))) };
      case 'replay': {
        if (!message.steps.every((step) => isWhole(step, this.executor.arena.shape.pixels)))
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

  /**
   * Returns the values of a message. Throws E_PROTOCOL unless the pass before waits for this number of values, and
   * `isLast` is right.
   */
  private given({ values }: { readonly values: Uint8Array }, isLast: boolean): Float32Array {
    const { awaited } = this.executor.tensor;
    if (!awaited || awaited.isLast !== isLast || values.length !== awaited.floats * 4)
      throw notAsked('values that no pass waits for');
    return floatsOf(values);
  }

  /** Sends the state of tensor shards. Returns the SHA-256 of all that was sent. */
  private async sendState({ request, model, shards, ...range }: Asked<'collect'>): Promise<string> {
    const { memory, regions } = this.executor.arena;
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

/** Returns whether a step that is repeated has as many values as each of its exchanges needs. */
function isWhole(
  { step, given }: { readonly step: TensorStep; readonly given: readonly Uint8Array[] },
  pixels: number,
): boolean {
  const { rows } = rowCountsOf(step.labelledImages.length / pixels, step);
  const lengths = exchangesOf(step.model).map((exchange) => widthsOf(step.model, exchange).down * rows * 4);
  return given.length === lengths.length && given.every((values, i) => values.length === lengths[i]);
}

/** Returns the milliseconds that the slowest task computed. Waiting for the gradient does not count. */
function slowest(results: readonly TensorResult[]): number {
  return Math.max(...results.map(({ milliseconds: { input, forward, backward } }) => input + forward + backward));
}
