// Serves as a rank of an MPI job other than rank 0: does what rank 0 tells all ranks, on threads of its own. It decides
// nothing.

import { AllReduce } from '../src/collectives/all-reduce.js';
import type { Collective } from '../src/collectives/collective.js';
import { type FingerprintOf, numericsFingerprint } from '../src/models/fingerprint.js';
import type { Read } from '../src/models/model-text.js';
import { parameterCount } from '../src/models/models.js';
import type { TensorShardRange } from '../src/models/tensor-tasks.js';
import { answer, hear, type ToRank, type ToRoot } from '../src/protocol/mpi-messages.js';
import { floatsOf, logitsToWire, piecesOf } from '../src/protocol/tensor-codec.js';
import { GraphHost } from './graph-host.js';
import { digestOf, failureOf, gradientResults, predictions } from './node-requests.js';
import { readerOfAsked } from './request-checks.js';
import { createThreadExecutor, type ThreadExecutor } from './thread-executor.js';

export interface MpiRankOptions {
  /** A name for people. */
  readonly name: string;
  readonly workers: number;
  /** Replaces the fingerprint in tests. */
  readonly fingerprintOf?: FingerprintOf;
}

type Command<K extends ToRank['kind']> = Extract<Read<ToRank>, { kind: K }>;
/** The commands that are answered. */
type Question = Command<
  'gradients' | 'predict' | 'describe' | 'rows' | 'neighbours' | 'forward' | 'onward' | 'checksum'
>;
type WithoutHealth<M> = M extends ToRoot ? Omit<M, 'lostWorkers'> : never;

/**
 * Works until rank 0 says that the run is over. Errors of a task are sent to rank 0, which decides. Errors between the
 * ranks are thrown, and end the job.
 * @param create makes the executor; for tests and measurements
 * @param heard returns the next message from rank 0; for measurements, which have messages of their own
 */
export async function serveMpiRank(
  collective: Collective,
  options: MpiRankOptions,
  create = createThreadExecutor,
  heard = hear,
): Promise<void> {
  let rank: Rank | undefined;
  const models = readerOfAsked();
  try {
    for (;;) {
      const message = models.read(await heard(collective));
      if (message.kind === 'bye') return;
      if (message.kind === 'welcome') rank = await begin(collective, options, message, create);
      else await rank?.obey(message);
    }
  } finally {
    await rank?.executor.close();
  }
}

async function begin(
  collective: Collective,
  { name, workers, fingerprintOf = numericsFingerprint }: MpiRankOptions,
  { shape, numerics }: Command<'welcome'>,
  create: typeof createThreadExecutor,
): Promise<Rank | undefined> {
  try {
    const fingerprint = fingerprintOf(numerics);
    const executor = await create({ shape: { ...shape, workspaces: workers } });
    await answer(collective, { kind: 'hello', name, workers, fingerprint });
    return new Rank(collective, executor);
  } catch (error) {
    await answer(collective, { ...failureOf(error), lostWorkers: 0 });
    return undefined;
  }
}

class Rank {
  private readonly allReduce: AllReduce;
  private readonly graph: GraphHost;
  /** The ends of the ranks' items in the last gradients: rank r has the items [ends[r - 1], ends[r]). */
  private ends: readonly number[] = [];
  private shards = 0;
  /** Whether the tensor-parallel step uses this rank. A layer may have fewer tensor shards than there are ranks. */
  private hasTensorShards = false;

  constructor(
    private readonly collective: Collective,
    readonly executor: ThreadExecutor,
  ) {
    this.allReduce = new AllReduce(collective, executor.arena);
    this.graph = new GraphHost(executor);
  }

  async obey(message: Exclude<Read<ToRank>, Command<'welcome' | 'bye'>>): Promise<void> {
    switch (message.kind) {
      case 'fill':
        return this.fill(message);
      case 'update':
        return this.update(message);
      case 'backward':
        if (this.hasTensorShards) await this.executor.tensor.backward(floatsOf(message.values));
        return;
      case 'collect':
        return this.sendState(message);
      default: {
        const said = await this.reply(message).catch(failureOf);
        return answer(this.collective, { ...said, ...this.executor.health() } as ToRoot);
      }
    }
  }

  private async fill({ region, start, end }: Command<'fill'>): Promise<void> {
    const { memory, regions, images, shape } = this.executor.arena;
    if (region === 'unlabelled' || region === 'evaluation') {
      const bytes = new Uint8Array((end - start) * shape.pixels);
      await this.collective.broadcast(bytes);
      return images[region].write(start, 0, bytes);
    }
    await this.collective.broadcast(new Uint8Array(memory.buffer, regions[region] + start, end - start));
  }

  private async update({ model, optimizer, order }: Command<'update'>): Promise<void> {
    const length = parameterCount(model);
    const hasTotal =
      order === 'tree'
        ? await this.allReduce.byTree(length, this.shards, this.ends)
        : await this.allReduce.byAnyOrder(length, this.ends);
    if (hasTotal) await this.executor.updateByTotal(model, optimizer);
  }

  /** Sends the state of this rank's tensor shards to rank 0. */
  private async sendState({ model, shards, ends }: Command<'collect'>): Promise<void> {
    const range = this.range(ends);
    const { memory, regions } = this.executor.arena;
    const pieces = range.first < range.end ? piecesOf(model, shards, range) : [];
    await this.collective.exchange(
      pieces.map(({ region, start, end }) => {
        return { rank: 0, bytes: new Uint8Array(memory.buffer, regions[region] + start, end - start) };
      }),
      [],
    );
  }

  private async reply(message: Question): Promise<WithoutHealth<ToRoot>> {
    const { executor } = this;
    switch (message.kind) {
      case 'gradients':
        this.ends = message.ends;
        this.shards = message.steps[0]!.shards;
        return {
          kind: 'computed',
          results: await gradientResults(executor, { ...message, steps: this.mine(message.steps, message.ends) }),
        };
      case 'predict':
        return predictions(executor, { ...message, ranges: this.mine(message.ranges, message.ends) });
      case 'describe':
        return this.graph.answer({ ...message, ranges: this.mine(message.ranges, message.ends) });
      case 'rows':
        return this.graph.answer(message);
      case 'neighbours':
        return this.graph.answer({ ...message, blocks: this.mine(message.blocks, message.ends) });
      case 'forward': {
        const range = this.range(message.ends);
        this.hasTensorShards = range.first < range.end;
        const sums = this.hasTensorShards ? await executor.tensor.forward(message.step, range) : [];
        return { kind: 'logits', sums: logitsToWire(sums) };
      }
      case 'onward': {
        const sums = this.hasTensorShards ? await executor.tensor.onward(floatsOf(message.values)) : [];
        return { kind: 'logits', sums: logitsToWire(sums) };
      }
      case 'checksum':
        return digestOf(executor, message);
    }
  }

  private range(ends: readonly number[]): TensorShardRange {
    const { rank } = this.collective;
    return { first: ends[rank - 1]!, end: ends[rank]! };
  }

  private mine<T>(items: readonly T[], ends: readonly number[]): T[] {
    const { first, end } = this.range(ends);
    return items.slice(first, end);
  }
}
