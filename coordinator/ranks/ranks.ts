// Owns a node that is made of the ranks of a job: rank 0, which is here and coordinates, and the others, which do what it tells. The state of
// the run is in the arena here; the others are brought what they lack before a step, and then make every update that is made here. There are
// as many ranks from the first step to the last: if one is lost, the job ends, and goes on from its checkpoint.
import type { TrainingState } from '../../src/checkpoint.js';
import { sha256OfParameters } from '../../src/checksum.js';
import { AllReduce } from '../../src/collectives/all-reduce.js';
import type { Collective } from '../../src/collectives/collective.js';
import { floats } from '../../src/engine/arena.js';
import { layoutOf, type Model } from '../../src/engine/model.js';
import { storePseudoLabels } from '../../src/engine/predict.js';
import { type SentRegion, toWire } from '../../src/protocol/messages.js';
import type { Node, NodeHealth, ShardStep } from '../../src/protocol/node.js';
import { answers, type ToRank, type ToRoot, tell } from '../../src/protocol/ranks.js';
import type {
  GradientResult,
  OptimizerStep,
  PredictResult,
  PredictTask,
  UpdateResult,
} from '../../src/protocol/tasks.js';
import type { LocalNode } from '../../worker/node.js';
import { drifted, notFinite, wasClosed } from '../failures.js';
import { assign } from '../fleet/assignment.js';
import { Mirror } from '../fleet/mirror.js';
import { predictInBatches } from '../fleet/prediction.js';
import { misfit, notOverMpi, otherNumerics, revived, unexpected } from './failures.js';

export interface RanksOptions {
  /** Of rank 0's numerics. */
  readonly fingerprint: string;
  /** Ranks of other numerics may work: the bits of the run then depend on how many ranks there are. */
  readonly allowMixed: boolean;
  /** 'any': gradients are summed in the collective's own order, and the bits depend on the number of ranks. */
  readonly order: 'tree' | 'any';
  /** Steps between two comparisons of the ranks' parameters. */
  readonly checksumEvery: number;
}

const VECTORS = ['parameters', 'firstMoment', 'secondMoment'] as const;

/** Of one broadcast: an MPI library counts in 31 bits. */
const MOST_BYTES = 2 ** 28;

export class Ranks implements Node {
  readonly name = 'ranks';
  readonly writesInPlace: boolean;
  private readonly allReduce: AllReduce;
  /** What all other arenas have as it is here. */
  private readonly mirror = new Mirror();
  /** Of ranks 1, 2, ... */
  private others: readonly { readonly name: string; readonly workers: number }[] = [];
  private lostElsewhere: readonly number[] = [];
  /** Of the last gradients: shards [ends[r - 1], ends[r]) are rank r's. */
  private ends: readonly number[] = [];
  private steps = 0;
  private phase: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | undefined;

  /** The collective stays the caller's, who says bye. */
  constructor(
    private readonly local: LocalNode,
    private readonly collective: Collective,
    private readonly options: RanksOptions,
  ) {
    this.writesInPlace = local.writesInPlace;
    this.allReduce = new AllReduce(collective, local.arena);
  }

  get workers(): number {
    return this.weights.reduce((sum, workers) => sum + workers, 0);
  }

  health(): NodeHealth {
    return { lostWorkers: this.lostElsewhere.reduce((sum, lost) => sum + lost, this.local.health().lostWorkers) };
  }

  /** Has the other ranks make their nodes. To be done first. Throws E_NUMERICS, and what a rank failed by. */
  welcome(): Promise<void> {
    return this.alone(async () => {
      // Lanes are the rank's own; bf16 products stay on one machine.
      const { lanes: _, precision: __, ...rest } = this.local.arena.shape;
      const shape = { ...rest, sliceBytes: 0, groupBytes: 0, factors: 0 };
      const [, hellos] = await this.together({ kind: 'welcome', shape }, 'hello', async () => undefined);
      this.others = hellos;
      const { fingerprint, allowMixed } = this.options;
      const mixed = hellos.filter((hello) => hello.fingerprint !== fingerprint);
      if (mixed.length > 0 && !allowMixed) throw otherNumerics(mixed.map(({ name }) => name));
    });
  }

  gradients(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    return this.alone(async () => {
      await this.bringForGradients(steps[0]!);
      // Shards in their order, so that those of a rank are neighbours in the tree.
      const order = Array.from(steps.keys()).toSorted((a, b) => steps[a]!.shard - steps[b]!.shard);
      const sorted = order.map((position) => steps[position]!);
      const ends = assign(steps.length, this.weights);
      const [mine, answered] = await this.together(
        { kind: 'gradients', steps: sorted.map(toWire), ends },
        'computed',
        () => this.local.gradients(sorted.slice(0, ends[0])),
      );
      this.ends = ends;
      const found = [...mine, ...answered.flatMap(({ results }) => results)];
      if (found.length !== steps.length) throw misfit();
      const results: GradientResult[] = [];
      for (const [i, position] of order.entries()) results[position] = found[i]!;
      return results;
    });
  }

  update(model: Model, shards: number, optimizer: OptimizerStep): Promise<UpdateResult[]> {
    return this.alone(async () => {
      const { length } = layoutOf(model);
      const { order, checksumEvery } = this.options;
      this.steps++;
      await tell(this.collective, { kind: 'update', model, optimizer, order });
      const hasTotal =
        order === 'tree'
          ? await this.allReduce.byTree(length, shards, this.ends)
          : await this.allReduce.byAnyOrder(length, this.ends);
      if (!hasTotal) throw notFinite();
      const results = await this.local.updateByTotal(model, optimizer);
      if (this.steps % checksumEvery === 0) await this.compareParameters(length);
      return results;
    });
  }

  predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    return this.alone(async () => {
      await this.bring('parameters', 0, layoutOf(model).length * 4);
      await this.bringImages(set);
      const [end] = assign(ranges.length, this.weights) as [number, ...number[]];
      const mine = this.local.predict(model, set, ranges.slice(0, end));
      mine.catch(() => undefined);
      const elsewhere = ranges.slice(end);
      const results = await predictInBatches(
        elsewhere,
        async (parts) => {
          const ends = [0, ...assign(parts.length, this.weights.slice(1))];
          const message = { kind: 'predict', model, set, ranges: parts, ends } as const;
          const [, answered] = await this.together(message, 'predicted', () => mine);
          return answered.flatMap((each) => each.results);
        },
        misfit,
      );
      return [...(await mine), ...this.withFlips(set, elsewhere, results)];
    });
  }

  forward(): Promise<never> {
    return Promise.reject(notOverMpi());
  }

  backward(): Promise<never> {
    return Promise.reject(notOverMpi());
  }

  read(parameters: number): Promise<TrainingState> {
    return this.local.read(parameters);
  }

  write(state: Partial<TrainingState>): void {
    this.local.write(state);
    for (const region of [...VECTORS, 'pseudoLabels', 'confidences'] as const) {
      this.mirror.hasChanged(region, 0, state[region]?.byteLength ?? 0);
    }
  }

  /** What is going on rejects with E_INTERRUPTED when the other ranks have done their part of it. */
  close(): Promise<void> {
    this.closing ??= this.local.close().then(async () => void (await this.phase));
    return this.closing;
  }

  /** Workers of each rank. */
  private get weights(): number[] {
    return [this.local.workers, ...this.others.map(({ workers }) => workers)];
  }

  /** Stores in the arena here what was predicted elsewhere, and forgets which ranks have it too. */
  private withFlips(
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
    results: readonly Omit<PredictResult, 'flips'>[],
  ): PredictResult[] {
    if (set === 'evaluation') return results.map((result) => ({ ...result, flips: 0 }));
    const { unlabelled } = this.local.arena.shape;
    this.mirror.hasChanged('pseudoLabels', 0, unlabelled);
    this.mirror.hasChanged('confidences', 0, unlabelled * 4);
    return results.map((result, i) => ({
      ...result,
      flips: storePseudoLabels(this.local.arena, ranges[i]![0], result),
    }));
  }

  private async compareParameters(length: number): Promise<void> {
    const own = async () => sha256OfParameters(floats(this.local.arena, 'parameters', length));
    const [expected, digests] = await this.together({ kind: 'checksum', parameters: length }, 'digest', own);
    const names = this.others.flatMap(({ name }, i) => (digests[i]!.sha256 === expected ? [] : [name]));
    if (names.length > 0) throw drifted(names, "rank 0's", this.steps);
  }

  private async bringForGradients({ model, unlabelled }: ShardStep): Promise<void> {
    for (const region of VECTORS) await this.bring(region, 0, layoutOf(model).length * 4);
    if (!unlabelled) return;
    await this.bringImages('unlabelled');
    if (unlabelled.pseudoLabels === 'fresh' || model.objective === 'reconstruction') return;
    const { shape } = this.local.arena;
    await this.bring('pseudoLabels', 0, shape.unlabelled);
    await this.bring('confidences', 0, shape.unlabelled * 4);
  }

  private bringImages(set: PredictTask['set']): Promise<void> {
    const { pixels, unlabelled, evaluation } = this.local.arena.shape;
    if (set === 'unlabelled') return this.bring('images', 0, unlabelled * pixels);
    return this.bring('evaluationImages', 0, evaluation * pixels);
  }

  /** Makes the bytes [start, end) of a region the same everywhere as they are here. */
  private async bring(region: SentRegion, start: number, end: number): Promise<void> {
    const { memory, regions, shape } = this.local.arena;
    if (VECTORS.some((vector) => vector === region) && end > shape.parameters * 4)
      throw new RangeError(`length ${end / 4} of the model is beyond the arena`);
    for (const [from, to] of this.mirror.missing(region, start, end)) {
      for (let at = from; at < to; at += MOST_BYTES) {
        const until = Math.min(at + MOST_BYTES, to);
        await tell(this.collective, { kind: 'fill', region, start: at, end: until });
        await this.collective.broadcast(new Uint8Array(memory.buffer, regions[region] + at, until - at));
      }
      this.mirror.isAlike(region, from, to);
    }
  }

  /** Has the other ranks do something while `own` is done here, and waits for all, so that the next thing begins together. */
  private async together<T, K extends ToRoot['kind']>(
    message: ToRank,
    kind: K,
    own: () => Promise<T>,
  ): Promise<[own: T, others: Extract<ToRoot, { kind: K }>[]]> {
    await tell(this.collective, message);
    const [mine] = await Promise.allSettled([own()]);
    const found = await answers(this.collective);
    if (mine.status === 'rejected') throw mine.reason;
    this.lostElsewhere = found.map((answer, i) =>
      'lostWorkers' in answer ? answer.lostWorkers : (this.lostElsewhere[i] ?? 0),
    );
    return [
      mine.value,
      found.map((answer, i) => {
        if (answer.kind === kind) return answer as Extract<ToRoot, { kind: K }>;
        throw answer.kind === 'failed'
          ? revived(answer, this.others[i]?.name ?? `rank ${i + 1}`)
          : unexpected(answer.kind);
      }),
    ];
  }

  /** Phases are one after another: all ranks do the same things in the same order. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.phase.then(() => {
      if (this.closing) throw wasClosed('ranks');
      return work();
    });
    this.phase = result.catch(() => undefined);
    return result;
  }
}
