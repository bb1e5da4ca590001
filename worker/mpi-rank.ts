// Owns a rank of a job besides rank 0: it does what rank 0 tells, together with all others, on a local node of its own. It decides nothing.
import { sha256OfParameters } from '../src/checksum.js';
import { AllReduce } from '../src/collectives/all-reduce.js';
import type { Collective } from '../src/collectives/collective.js';
import { floats } from '../src/engine/arena.js';
import { PseudolabelError } from '../src/errors.js';
import type { Fingerprints } from '../src/models/dense/fingerprint.js';
import { layoutOf } from '../src/models/model.js';
import { bytesOf } from '../src/protocol/floats.js';
import { answer, hear, type ToRank, type ToRoot } from '../src/protocol/mpi-messages.js';
import { fromWire } from '../src/protocol/shard-step-codec.js';
import { MpiTensorRank } from './mpi-tensor-rank.js';
import { createThreadExecutor, type ThreadExecutor } from './thread-executor.js';

export interface MpiRankOptions {
  /** For people. */
  readonly name: string;
  readonly workers: number;
  /** Of this machine's numerics. */
  readonly fingerprints: Fingerprints;
}

type Command<K extends ToRank['kind']> = Extract<ToRank, { kind: K }>;
/** What is answered. */
type Question = Command<'gradients' | 'predict' | 'forward' | 'onward' | 'checksum'>;

/**
 * Works until rank 0 says that the run is over. What goes wrong in a task is told to rank 0, which decides; what goes wrong between the
 * ranks is thrown, and ends the job.
 * @param create makes the node; for tests and measurements
 * @param heard the next message from rank 0; for measurements, which have messages of their own
 */
export async function serveMpiRank(
  collective: Collective,
  options: MpiRankOptions,
  create = createThreadExecutor,
  heard = hear,
): Promise<void> {
  let rank: Rank | undefined;
  try {
    for (;;) {
      const message = await heard(collective);
      if (message.kind === 'bye') return;
      if (message.kind === 'welcome') rank = await begin(collective, options, message, create);
      else await rank?.obey(message);
    }
  } finally {
    await rank?.node.close();
  }
}

async function begin(
  collective: Collective,
  { name, workers, fingerprints }: MpiRankOptions,
  { shape }: Command<'welcome'>,
  create: typeof createThreadExecutor,
): Promise<Rank | undefined> {
  const none = new Uint8Array();
  try {
    const node = await create({ shape: { ...shape, workspaces: workers }, images: none, evaluationImages: none });
    await answer(collective, { kind: 'hello', name, workers, fingerprints });
    return new Rank(collective, node);
  } catch (error) {
    await answer(collective, failed(error, 0));
    return undefined;
  }
}

class Rank {
  private readonly allReduce: AllReduce;
  private readonly tensor: MpiTensorRank;
  /** Of the last gradients. */
  private ends: readonly number[] = [];
  private shards = 0;

  constructor(
    private readonly collective: Collective,
    readonly node: ThreadExecutor,
  ) {
    this.allReduce = new AllReduce(collective, node.arena);
    this.tensor = new MpiTensorRank(collective, node);
  }

  async obey(message: Exclude<ToRank, Command<'welcome' | 'bye'>>): Promise<void> {
    switch (message.kind) {
      case 'fill':
        return this.fill(message);
      case 'update':
        return this.update(message);
      case 'backward':
        return this.tensor.backward(message);
      case 'collect':
        return this.tensor.collect(message);
      default:
        return answer(this.collective, await this.reply(message));
    }
  }

  private async fill({ region, start, end }: Command<'fill'>): Promise<void> {
    const { memory, regions } = this.node.arena;
    await this.collective.broadcast(new Uint8Array(memory.buffer, regions[region] + start, end - start));
    if (region === 'parameters') this.node.parametersCame(start, end);
  }

  private async update({ model, optimizer, order }: Command<'update'>): Promise<void> {
    const { length } = layoutOf(model);
    const hasTotal =
      order === 'tree'
        ? await this.allReduce.byTree(length, this.shards, this.ends)
        : await this.allReduce.byAnyOrder(length, this.ends);
    if (hasTotal) await this.node.updateByTotal(model, optimizer);
  }

  private async reply(message: Question): Promise<ToRoot> {
    try {
      return await this.answered(message);
    } catch (error) {
      return failed(error, this.node.health().lostWorkers);
    }
  }

  private async answered(message: Question): Promise<ToRoot> {
    const { node } = this;
    switch (message.kind) {
      case 'gradients': {
        this.ends = message.ends;
        this.shards = message.steps[0]!.shards;
        const found = await node.gradients(this.mine(message.steps, message.ends).map(fromWire));
        const results = found.map(({ span: _, ...result }) => result);
        return { kind: 'computed', ...node.health(), results };
      }
      case 'predict': {
        const found = await node.predict(message.model, message.set, this.mine(message.ranges, message.ends));
        const results = found.map(({ classes, confidences, milliseconds }) => {
          return { classes, confidences: bytesOf(confidences), milliseconds };
        });
        return { kind: 'predicted', ...node.health(), results };
      }
      case 'forward': {
        const sums = await this.tensor.forward(message);
        return { kind: 'logits', ...node.health(), sums };
      }
      case 'onward': {
        const sums = await this.tensor.onward(message);
        return { kind: 'logits', ...node.health(), sums };
      }
      case 'checksum': {
        const sha256 = sha256OfParameters(floats(node.arena, 'parameters', message.parameters));
        return { kind: 'digest', ...node.health(), sha256 };
      }
    }
  }

  private mine<T>(items: readonly T[], ends: readonly number[]): T[] {
    const { rank } = this.collective;
    return items.slice(ends[rank - 1], ends[rank]);
  }
}

function failed(error: unknown, lostWorkers: number): ToRoot {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof PseudolabelError)) return { kind: 'failed', lostWorkers, code: null, message, fix: '' };
  return { kind: 'failed', lostWorkers, code: error.code, message, fix: error.fix };
}
