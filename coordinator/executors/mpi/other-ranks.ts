// Owns what rank 0 has to do with the other ranks: who they are, what their arenas have as it is here, and how all do something together.
import type { Collective } from '../../../src/collectives/collective.js';
import type { Arena } from '../../../src/engine/arena.js';
import type { PredictTask } from '../../../src/engine/tasks.js';
import { precisionOf } from '../../../src/models/model.js';
import type { SentRegion } from '../../../src/protocol/cluster-messages.js';
import { answers, type ToRank, type ToRoot, tell } from '../../../src/protocol/mpi-messages.js';
import { VECTORS } from '../../../src/protocol/tensor-codec.js';
import { StateMirror } from '../cluster/state-mirror.js';
import { withoutProducts } from '../failures.js';
import { otherNumerics, revived, unexpected } from './failures.js';

/** Of one broadcast: an MPI library counts in 31 bits. */
const MOST_BYTES = 2 ** 28;

export class OtherRanks {
  /** Of ranks 1, 2, ... */
  private all: readonly { readonly name: string; readonly workers: number }[] = [];
  private lost: readonly number[] = [];
  /** What all other arenas have as it is here. */
  private readonly mirror = new StateMirror();

  /** arena: rank 0's. */
  constructor(
    private readonly arena: Arena,
    private readonly collective: Collective,
  ) {}

  get workers(): readonly number[] {
    return this.all.map(({ workers }) => workers);
  }

  get lostWorkers(): number {
    return this.lost.reduce((sum, lost) => sum + lost, 0);
  }

  /** Has them make their nodes. Throws E_NUMERICS, and what a rank failed by. */
  async welcome({ fingerprint, allowMixed }: { readonly fingerprint: string; readonly allowMixed: boolean }) {
    // Lanes are the rank's own.
    const precision = precisionOf(this.arena.shape);
    const { workspaces: _, tensorShardBytes = 0, outputGroupBytes = 0, ...rest } = this.arena.shape;
    const message = { kind: 'welcome', shape: { ...rest, tensorShardBytes, outputGroupBytes, precision } } as const;
    const [, hellos] = await this.together(message, 'hello', async () => undefined);
    this.all = hellos;
    const unable = hellos.filter(({ fingerprints }) => fingerprints[precision] === undefined);
    if (unable.length > 0) throw withoutProducts(unable.map(({ name }) => name).join(', '), precision);
    const mixed = hellos.filter(({ fingerprints }) => fingerprints[precision] !== fingerprint);
    if (mixed.length > 0 && !allowMixed) throw otherNumerics(mixed.map(({ name }) => name));
  }

  /** Names of those for which it does not hold, by their place among the others. */
  except(holds: (other: number) => boolean): string[] {
    return this.all.flatMap(({ name }, i) => (holds(i) ? [] : [name]));
  }

  tell(message: ToRank): Promise<void> {
    return tell(this.collective, message);
  }

  /** The bytes [0, end) of a region have changed here, or there, or both. */
  hasChanged(region: SentRegion, end: number): void {
    this.mirror.hasChanged(region, 0, end);
  }

  /** parameters: floats of each vector. */
  async bringState(parameters: number): Promise<void> {
    for (const region of VECTORS) await this.bring(region, parameters * 4);
  }

  stateChanged(parameters: number): void {
    for (const region of VECTORS) this.hasChanged(region, parameters * 4);
  }

  bringImages(set: PredictTask['set']): Promise<void> {
    const { pixels, unlabelled, evaluation } = this.arena.shape;
    if (set === 'unlabelled') return this.bring('images', unlabelled * pixels);
    return this.bring('evaluationImages', evaluation * pixels);
  }

  /** Makes the bytes [0, end) of a region the same everywhere as they are here. */
  async bring(region: SentRegion, end: number): Promise<void> {
    const { memory, regions, shape } = this.arena;
    if (VECTORS.some((vector) => vector === region) && end > shape.parameters * 4)
      throw new RangeError(`length ${end / 4} of the model is beyond the arena`);
    for (const [from, to] of this.mirror.missing(region, 0, end)) {
      for (let at = from; at < to; at += MOST_BYTES) {
        const until = Math.min(at + MOST_BYTES, to);
        await this.tell({ kind: 'fill', region, start: at, end: until });
        await this.collective.broadcast(new Uint8Array(memory.buffer, regions[region] + at, until - at));
      }
      this.mirror.isAlike(region, from, to);
    }
  }

  /** Has them do something while `own` is done here, and waits for all, so that the next thing begins together. */
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
          ? revived(answer, this.all[i]?.name ?? `rank ${i + 1}`)
          : unexpected(answer.kind);
      }),
    ];
  }
}
