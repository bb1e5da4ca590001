// Owns a node that is made of the ranks of a job: rank 0, which is here and coordinates, and the others, which do what it tells. The state of
// the run is in the arena here; the others are brought what they lack before a step, and then make every update that is made here. There are
// as many ranks from the first step to the last: if one is lost, the job ends, and goes on from its checkpoint.

import { sha256OfParameters } from '../../../src/checksum.js';
import { AllReduce } from '../../../src/collectives/all-reduce.js';
import type { Collective } from '../../../src/collectives/collective.js';
import { floats } from '../../../src/engine/arena.js';
import type { Executor, ExecutorHealth, ShardStep, TrainingState } from '../../../src/engine/executor.js';
import type {
  GradientResult,
  OptimizerStep,
  PredictResult,
  PredictTask,
  UpdateResult,
} from '../../../src/engine/tasks.js';
import type { Logits, TensorResult, TensorStep } from '../../../src/engine/tensor-tasks.js';
import { layoutOf, type Model } from '../../../src/models/model.js';
import { toWire } from '../../../src/protocol/fields.js';
import { VECTORS } from '../../../src/protocol/tensor-codec.js';
import { TensorPasses } from '../../../worker/tensor-steps.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { assign } from '../cluster/assignment.js';
import { drifted, notFinite, wasClosed } from '../failures.js';
import { misfit } from './failures.js';
import { OtherRanks } from './other-ranks.js';
import { MpiPredictions } from './predictions.js';
import { MpiTensorParallel } from './tensor-parallel.js';

export interface MpiOptions {
  /** Of rank 0's numerics. */
  readonly fingerprint: string;
  /** Ranks of other numerics may work: the bits of the run then depend on how many ranks there are. */
  readonly allowMixed: boolean;
  /** 'any': gradients are summed in the collective's own order, and the bits depend on the number of ranks. */
  readonly order: 'tree' | 'any';
  /** Steps between two comparisons of the ranks' parameters. */
  readonly checksumEvery: number;
}

export class MpiExecutor implements Executor {
  readonly name = 'ranks';
  readonly writesInPlace: boolean;
  private readonly allReduce: AllReduce;
  private readonly others: OtherRanks;
  private readonly predictions: MpiPredictions;
  private readonly tensor: MpiTensorParallel;
  private readonly wholeSteps: TensorPasses;
  /** Of the last gradients: shards [ends[r - 1], ends[r]) are rank r's. */
  private ends: readonly number[] = [];
  private steps = 0;
  private phase: Promise<unknown> = Promise.resolve();
  private closing: Promise<void> | undefined;

  /** The collective stays the caller's, who says bye. */
  constructor(
    private readonly local: ThreadExecutor,
    collective: Collective,
    private readonly options: MpiOptions,
  ) {
    this.writesInPlace = local.writesInPlace;
    this.allReduce = new AllReduce(collective, local.arena);
    this.others = new OtherRanks(local.arena, collective);
    this.predictions = new MpiPredictions(local, this.others);
    this.tensor = new MpiTensorParallel(local, collective, this.others);
    this.wholeSteps = new TensorPasses(local.arena, local.workers, this.tensor);
  }

  get workers(): number {
    return this.weights.reduce((sum, workers) => sum + workers, 0);
  }

  health(): ExecutorHealth {
    return { lostWorkers: this.local.health().lostWorkers + this.others.lostWorkers };
  }

  /** Has the other ranks make their nodes. To be done first. Throws E_NUMERICS, and what a rank failed by. */
  welcome(): Promise<void> {
    return this.alone(() => this.others.welcome(this.options));
  }

  gradients(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    return this.alone(async () => {
      await this.tensor.release();
      await this.bringForGradients(steps[0]!);
      // Shards in their order, so that those of a rank are neighbours in the tree.
      const order = Array.from(steps.keys()).toSorted((a, b) => steps[a]!.shard - steps[b]!.shard);
      const sorted = order.map((position) => steps[position]!);
      const ends = assign(steps.length, this.weights);
      const [mine, answered] = await this.others.together(
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
      await this.others.tell({ kind: 'update', model, optimizer, order });
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
      await this.tensor.settle();
      return this.predictions.predict(model, set, ranges);
    });
  }

  forward(step: TensorStep): Promise<Logits> {
    return this.alone(() => this.wholeSteps.forward(step));
  }

  backward(gradient: Float32Array): Promise<TensorResult[]> {
    return this.alone(() => this.wholeSteps.backward(gradient));
  }

  read(parameters: number): Promise<TrainingState> {
    return this.alone(async () => {
      await this.tensor.settle();
      return this.local.read(parameters);
    });
  }

  write(state: Partial<TrainingState>): void {
    const given = VECTORS.filter((vector) => state[vector]);
    if (given.length > 0) this.tensor.overwritten(given.length === VECTORS.length);
    this.local.write(state);
    for (const region of [...VECTORS, 'pseudoLabels', 'confidences'] as const) {
      this.others.hasChanged(region, state[region]?.byteLength ?? 0);
    }
  }

  /** What is going on rejects with E_INTERRUPTED when the other ranks have done their part of it. */
  close(): Promise<void> {
    this.closing ??= this.local.close().then(async () => void (await this.phase));
    return this.closing;
  }

  /** Workers of each rank. */
  private get weights(): number[] {
    return [this.local.workers, ...this.others.workers];
  }

  private async compareParameters(length: number): Promise<void> {
    const own = async () => sha256OfParameters(floats(this.local.arena, 'parameters', length));
    const [expected, digests] = await this.others.together({ kind: 'checksum', parameters: length }, 'digest', own);
    const names = this.others.except((other) => digests[other]!.sha256 === expected);
    if (names.length > 0) throw drifted(names, "rank 0's", this.steps);
  }

  private async bringForGradients({ model, unlabelled }: ShardStep): Promise<void> {
    await this.others.bringState(layoutOf(model).length);
    if (!unlabelled) return;
    await this.others.bringImages('unlabelled');
    if (unlabelled.pseudoLabels === 'fresh' || model.objective === 'reconstruction') return;
    const { shape } = this.local.arena;
    await this.others.bring('pseudoLabels', shape.unlabelled);
    await this.others.bring('confidences', shape.unlabelled * 4);
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
