// Represents the other ranks for rank 0: who they are, what their arenas hold, and how all ranks do something together.
import type { Collective } from '../../../src/collectives/collective.js';
import type { Arena } from '../../../src/engine/arena.js';
import { sentShape } from '../../../src/engine/arena.js';
import type { PredictTask } from '../../../src/models/tasks.js';
import type { ImageSet, SentRegion } from '../../../src/protocol/cluster-messages.js';
import { answers, type ToRank, type ToRoot, tell } from '../../../src/protocol/mpi-messages.js';
import { ArenaSync } from '../arena-sync.js';
import { assign } from '../assignment.js';
import { reportedError, unexpectedError } from '../failures.js';
import { type NumericsRules, refusalOf } from '../numerics.js';

/** The most bytes of one broadcast. An MPI library counts in 31 bits. */
const MOST_BYTES = 2 ** 28;
/** The most bytes of images in one broadcast. They are copied before they are sent. */
const MOST_IMAGE_BYTES = 2 ** 24;

export const misfit = () => unexpectedError('the answers of the ranks do not fit the question');

export class OtherRanks {
  /** Records what all other arenas have in common with the arena here. */
  readonly arenaSync: ArenaSync;
  /** The ranks 1, 2, ... */
  private all: readonly { readonly name: string; readonly workers: number }[] = [];
  private lost: readonly number[] = [];

  /** arena: rank 0's arena. */
  constructor(
    private readonly arena: Arena,
    private readonly collective: Collective,
  ) {
    const { memory, regions, images, shape } = arena;
    const sendRegion = async (region: SentRegion, start: number, end: number): Promise<void> => {
      await this.tell({ kind: 'fill', region, start, end });
      await collective.broadcast(new Uint8Array(memory.buffer, regions[region] + start, end - start));
    };
    const sendImages = async (set: ImageSet, first: number, end: number): Promise<void> => {
      const most = Math.max(1, Math.floor(MOST_IMAGE_BYTES / shape.pixels));
      for (let start = first; start < end; start += most) {
        const last = Math.min(start + most, end);
        await this.tell({ kind: 'fill', region: set, start, end: last });
        await collective.broadcast(images[set].copy(start, last));
      }
    };
    this.arenaSync = new ArenaSync(arena, MOST_BYTES, sendRegion, sendImages);
  }

  get workers(): readonly number[] {
    return this.all.map(({ workers }) => workers);
  }

  /** Returns the ends of the ranks' ranges of this number of items. Rank 0 has none. */
  endsOf(count: number): number[] {
    return [0, ...assign(count, this.workers)];
  }

  get lostWorkers(): number {
    return this.lost.reduce((sum, lost) => sum + lost, 0);
  }

  /** Has the other ranks make their executors. Throws E_NUMERICS, and the error of a rank that failed. */
  async welcome(rules: NumericsRules): Promise<void> {
    const shape = sentShape(this.arena.shape);
    const [, hellos] = await this.together(
      { kind: 'welcome', shape, numerics: rules.numerics },
      'hello',
      async () => undefined,
    );
    this.all = hellos;
    const refusal = refusalOf(hellos, rules, 'rank 0');
    if (refusal) throw refusal;
  }

  /**
   * Returns the names of the ranks for which the condition holds. It is given their positions among the other ranks.
   */
  namesWhere(holds: (other: number) => boolean): string[] {
    return this.all.flatMap(({ name }, i) => (holds(i) ? [name] : []));
  }

  tell(message: ToRank): Promise<void> {
    return tell(this.collective, message);
  }

  bringImages(set: PredictTask['set']): Promise<void> {
    const { unlabelled, evaluation } = this.arena.shape;
    return this.arenaSync.bringImages(set, [[0, set === 'unlabelled' ? unlabelled : evaluation]]);
  }

  /**
   * Has the other ranks do something while `own` is done here, and waits for all, so that they begin the next thing
   * together.
   */
  async together<T, K extends ToRoot['kind']>(
    message: ToRank,
    kind: K,
    own: () => Promise<T>,
  ): Promise<[own: T, others: Extract<ToRoot, { kind: K }>[]]> {
    await this.tell(message);
    const [mine] = await Promise.allSettled([own()]);
    const found = await answers(this.collective);
    if (mine.status === 'rejected') throw mine.reason;
    this.lost = found.map((answer, i) => ('lostWorkers' in answer ? answer.lostWorkers : (this.lost[i] ?? 0)));
    return [
      mine.value,
      found.map((answer, i) => {
        if (answer.kind === kind) return answer as Extract<ToRoot, { kind: K }>;
        throw answer.kind === 'failed'
          ? reportedError(this.all[i]?.name ?? `rank ${i + 1}`, answer)
          : unexpectedError(`a rank answered ${answer.kind}`);
      }),
    ];
  }
}
