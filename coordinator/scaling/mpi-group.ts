// Measures an MPI job, on both sides: rank 0, which is measured and asks, and the other ranks, which work as in a run
// and record what they do.
import { availableParallelism, hostname } from 'node:os';
import { clock } from '../../src/clock.js';
import type { Collective } from '../../src/collectives/collective.js';
import { numericsFingerprint } from '../../src/models/fingerprint.js';
import { rankMessages, type ToRank, tell } from '../../src/protocol/mpi-messages.js';
import { serveMpiRank } from '../../worker/mpi-rank.js';
import { createThreadExecutor, type ThreadExecutor } from '../../worker/thread-executor.js';
import { CHECKSUM_EVERY } from '../compose.js';
import { unexpectedError } from '../executors/failures.js';
import { MpiExecutor } from '../executors/mpi/mpi-executor.js';
import { type Account, ActivityRecord, TracedCollective, traced } from './activity-record.js';
import type { ProcessGroup } from './bench.js';
import { FROM_MEASURED, type FromMeasured, TO_MEASURED, type ToMeasured } from './messages.js';

/**
 * The number of times that clocks of several machines are compared before a block. The fastest answer is the most
 * exact.
 */
const COMPARISONS = 8;

const measured = rankMessages<ToMeasured, FromMeasured>(TO_MEASURED, FROM_MEASURED);

export class MpiGroup implements ProcessGroup {
  readonly executor: MpiExecutor;
  /** The number of cores of all machines. */
  cores = availableParallelism();
  private readonly record = new ActivityRecord();
  private readonly collective: TracedCollective;
  /** The bytes sent by the other ranks, according to their last answer. */
  private othersBytes = 0;
  /** The differences between the other ranks' clocks and the clock here. */
  private offsets: readonly number[] = [];

  private constructor(
    private readonly local: ThreadExecutor,
    private readonly bare: Collective,
    order: 'tree' | 'any',
  ) {
    this.collective = new TracedCollective(bare, this.record);
    this.executor = new MpiExecutor(traced(local, this.record), this.collective, {
      fingerprint: numericsFingerprint('f32'),
      numerics: 'f32',
      allowMixed: false,
      order,
      checksumEvery: CHECKSUM_EVERY,
    });
  }

  /** Opens a job. Throws E_NUMERICS, and the error of a rank that failed. */
  static async open(local: ThreadExecutor, collective: Collective, order: 'tree' | 'any'): Promise<MpiGroup> {
    const job = new MpiGroup(local, collective, order);
    await job.executor.welcome();
    const found = await job.ask({ kind: 'begin' }, 'begun');
    const machines = new Map(found.map(({ host, cores }) => [host, cores]));
    machines.set(hostname(), availableParallelism());
    job.cores = [...machines.values()].reduce((sum, cores) => sum + cores, 0);
    return job;
  }

  get wireBytes(): number {
    return this.collective.sentBytes + this.othersBytes;
  }

  /** Begins a block. All ranks are awake when it resolves. */
  async begin(): Promise<void> {
    let quickest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < COMPARISONS; i++) {
      const asked = clock();
      const found = await this.ask({ kind: 'begin' }, 'begun');
      const took = clock() - asked;
      const isElsewhere = ({ host }: { readonly host: string }) => host !== hostname();
      if (took < quickest) this.offsets = found.map((each) => (isElsewhere(each) ? each.clock - asked - took / 2 : 0));
      quickest = Math.min(quickest, took);
      if (!found.some(isElsewhere)) break;
    }
    this.record.clear();
  }

  async accounts(began: number, ended: number): Promise<Account[]> {
    const own = this.record.account(this.local.workers, began, ended);
    const others = await this.ask({ kind: 'account', began, ended, offsets: [...this.offsets] }, 'accounted');
    return [own, ...others.map(({ account }) => account)];
  }

  private async ask<K extends FromMeasured['kind']>(
    question: ToMeasured,
    kind: K,
  ): Promise<Extract<FromMeasured, { kind: K }>[]> {
    await measured.tell(this.bare, question);
    const found = await measured.answers(this.bare);
    this.othersBytes = found.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
    return found.map((answer) => {
      if (answer.kind !== kind) throw unexpectedError(`a rank answered ${answer.kind}`);
      return answer as Extract<FromMeasured, { kind: K }>;
    });
  }
}

/** Lets the other ranks end. */
export const dismiss = (collective: Collective): Promise<void> => tell(collective, { kind: 'bye', reason: 'finished' });

/** Serves as a rank besides rank 0, until it is dismissed. Throws the errors of serveRank(). */
export async function serve(bare: Collective, workers: number): Promise<void> {
  const record = new ActivityRecord();
  const collective = new TracedCollective(bare, record);
  const options = { name: `rank ${bare.rank}`, workers };
  const create: typeof createThreadExecutor = async (of) => traced(await createThreadExecutor(of), record);
  const answer = (message: FromMeasured) => measured.answer(bare, message);
  const heard = async (): Promise<ToRank> => {
    for (;;) {
      const message = await measured.hear(collective);
      if (message.kind === 'begin') {
        record.clear();
        const place = { host: hostname(), cores: availableParallelism(), clock: clock() };
        await answer({ kind: 'begun', ...place, sentBytes: collective.sentBytes });
      } else if (message.kind === 'account') {
        const offset = message.offsets[bare.rank - 1] ?? 0;
        const account = record.account(workers, message.began + offset, message.ended + offset);
        await answer({ kind: 'accounted', account, sentBytes: collective.sentBytes });
      } else return message;
    }
  };
  await serveMpiRank(collective, options, create, heard);
}
