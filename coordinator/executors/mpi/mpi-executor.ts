// Trains on the ranks of an MPI job. Rank 0 is this process: it coordinates and holds the state of the run. The other
// ranks do what it tells them. They are sent what they lack before a step, and then do every update that is done here.
// If a rank is lost, the job ends, and continues from its checkpoint.

import { sha256OfParameters } from '../../../src/checksum.js';
import { AllReduce } from '../../../src/collectives/all-reduce.js';
import type { Collective } from '../../../src/collectives/collective.js';
import { floats } from '../../../src/engine/arena.js';
import type { OptimizerStep } from '../../../src/engine/optimizer.js';
import { notFinite } from '../../../src/failures.js';
import type { Rows } from '../../../src/graph/rows.js';
import type { Model } from '../../../src/models/model.js';
import { ModelWriter } from '../../../src/models/model-text.js';
import { parameterCount } from '../../../src/models/models.js';
import type {
  DescribeResult,
  Description,
  GradientResult,
  NeighboursResult,
  PredictResult,
  PredictTask,
  UpdateResult,
} from '../../../src/models/tasks.js';
import { toWire } from '../../../src/protocol/fields.js';
import { descriptionToWire } from '../../../src/protocol/graph-fields.js';
import type { ExecutorHealth, Gradients, Ranges, ShardStep, TrainingState } from '../../../src/training/executor.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { assign } from '../assignment.js';
import { DistributedExecutor } from '../distributed-executor.js';
import { driftError } from '../failures.js';
import { describeElsewhere, neighboursElsewhere, piecesOfRows } from '../graph-work.js';
import type { NumericsRules } from '../numerics.js';
import { predictElsewhere } from '../prediction.js';
import { misfit, OtherRanks } from './other-ranks.js';
import { MpiTensorParallel } from './tensor-parallel.js';

export interface MpiOptions extends NumericsRules {
  /** 'any': gradients are summed in the collective's own order, and the bits depend on the number of ranks. */
  readonly order: 'tree' | 'any';
  /** Steps between two comparisons of the ranks' parameters. */
  readonly checksumEvery: number;
}

export class MpiExecutor extends DistributedExecutor {
  protected readonly tensors: MpiTensorParallel;
  private readonly allReduce: AllReduce;
  private readonly ranks: OtherRanks;
  /** Writes the models that the ranks are told of. */
  private readonly models = new ModelWriter();
  /** The rows of a graph that all other ranks have. */
  private rows: Rows | undefined;

  /** The caller keeps the collective, and ends it. */
  constructor(
    local: ThreadExecutor,
    collective: Collective,
    private readonly options: MpiOptions,
  ) {
    super(local, 'ranks');
    this.allReduce = new AllReduce(collective, local.arena);
    this.ranks = new OtherRanks(local.arena, collective);
    this.tensors = new MpiTensorParallel(local, collective, this.ranks);
  }

  get workers(): number {
    return this.workersByRank.reduce((sum, workers) => sum + workers, 0);
  }

  health(): ExecutorHealth {
    return { lostWorkers: this.local.health().lostWorkers + this.ranks.lostWorkers };
  }

  /**
   * Has the other ranks make their executors. Must be called first. Throws E_NUMERICS, and the error of a rank that
   * failed.
   */
  welcome(): Promise<void> {
    return this.alone(() => this.ranks.welcome(this.options));
  }

  protected async computeGradients(steps: readonly ShardStep[]): Promise<Gradients> {
    const { model, shards } = steps[0]!;
    const { arenaSync } = this.ranks;
    await arenaSync.bringState(parameterCount(model));
    await arenaSync.bringRows(steps[0]!, [0, this.local.arena.shape.unlabelled]);
    // Sorts the shards, so that those of a rank are neighbours in the tree.
    const order = Array.from(steps.keys()).toSorted((a, b) => steps[a]!.shard - steps[b]!.shard);
    const sorted = order.map((position) => steps[position]!);
    const ends = assign(steps.length, this.workersByRank);
    const [mine, answers] = await this.ranks.together(
      { kind: 'gradients', model: this.models.text(model), steps: sorted.map(toWire), ends },
      'computed',
      () => this.local.computeGradients(sorted.slice(0, ends[0])),
    );
    const found = [...mine, ...answers.flatMap(({ results }) => results)];
    if (found.length !== steps.length) throw misfit();
    const results: GradientResult[] = [];
    for (const [i, position] of order.entries()) results[position] = found[i]!;
    return { results, update: (optimizer) => this.update(model, shards, ends, optimizer) };
  }

  /** Updates the parameters on all ranks. ends: rank r has the shards [ends[r - 1], ends[r]). */
  private async update(
    model: Model,
    shards: number,
    ends: readonly number[],
    optimizer: OptimizerStep,
  ): Promise<UpdateResult[]> {
    const length = parameterCount(model);
    const { order, checksumEvery } = this.options;
    await this.ranks.tell({ kind: 'update', model: this.models.text(model), optimizer, order });
    const hasTotal =
      order === 'tree'
        ? await this.allReduce.byTree(length, shards, ends)
        : await this.allReduce.byAnyOrder(length, ends);
    if (!hasTotal) throw notFinite('the sum of the gradients is not finite');
    const results = await this.local.updateByTotal(model, optimizer);
    if (this.steps % checksumEvery === 0) await this.compareParameters(length);
    return results;
  }

  protected async predictRanges(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]> {
    const { local, ranks } = this;
    await ranks.arenaSync.bringParameters(parameterCount(model));
    await ranks.bringImages(set);
    if (set === 'unlabelled') ranks.arenaSync.labelsChanged([[0, local.arena.shape.unlabelled]]);
    return this.shared(
      ranges,
      (mine) => local.predict(model, set, mine),
      (others, mine) => {
        const ask = async (parts: [number, number][]) => {
          const ends = ranks.endsOf(parts.length);
          const message = { kind: 'predict', model: this.models.text(model), set, ranges: parts, ends } as const;
          const [, answers] = await ranks.together(message, 'predicted', () => mine);
          return answers.flatMap(({ results }) => results);
        };
        return predictElsewhere(local.arena, set, others, ask, misfit);
      },
    );
  }

  protected async describeRanges(description: Description, ranges: Ranges): Promise<DescribeResult[]> {
    const { local, ranks } = this;
    const { model } = description;
    if (model) await ranks.arenaSync.bringParameters(parameterCount(model));
    await ranks.bringImages(description.set);
    const asked = { description: descriptionToWire(description), model: model ? this.models.text(model) : null };
    return this.shared(
      ranges,
      (mine) => local.describe(description, mine),
      (others, mine) => {
        const ask = async (part: [number, number][]) => {
          const message = { kind: 'describe', ...asked, ranges: part, ends: ranks.endsOf(part.length) } as const;
          const [, answers] = await ranks.together(message, 'described', () => mine);
          return answers.flatMap(({ results }) => results);
        };
        return describeElsewhere(description, others, ask, misfit);
      },
    );
  }

  protected async findNeighbours(rows: Rows, neighbours: number, blocks: Ranges): Promise<NeighboursResult[]> {
    const { local, ranks } = this;
    const { count, columns } = rows.shape;
    if (this.rows !== rows) {
      for (const piece of piecesOfRows(rows))
        await ranks.together({ kind: 'rows', count, columns, ...piece }, 'ready', async () => undefined);
      this.rows = rows;
    }
    return this.shared(
      blocks,
      (mine) => local.neighbours(rows, neighbours, mine),
      (others, mine) => {
        const ask = async (part: [number, number][]) => {
          const message = { kind: 'neighbours', neighbours, blocks: part, ends: ranks.endsOf(part.length) } as const;
          const [, answers] = await ranks.together(message, 'found', () => mine);
          return answers.flatMap(({ results }) => results);
        };
        return neighboursElsewhere(rows, neighbours, others, ask, misfit);
      },
    );
  }

  /**
   * Does the first part of the work here, and the rest on the other ranks at the same time.
   * @param elsewhere asks the other ranks for their items. It is given this rank's own work, and waits for that too.
   * @returns the results of all items, in their order
   */
  private async shared<Result>(
    items: Ranges,
    here: (items: Ranges) => Promise<Result[]>,
    elsewhere: (items: Ranges, own: Promise<Result[]>) => Promise<Result[]>,
  ): Promise<Result[]> {
    const [end] = assign(items.length, this.workersByRank) as [number, ...number[]];
    const own = here(items.slice(0, end));
    own.catch(() => undefined); // The error is thrown below, when the other ranks have answered.
    const others = await elsewhere(items.slice(end), own);
    return [...(await own), ...others];
  }

  protected overwritten(state: Partial<TrainingState>): void {
    this.ranks.arenaSync.overwritten(state);
  }

  /** Ends when the other ranks have done their part of the current phase. */
  protected async end(): Promise<void> {
    await this.local.close();
    await this.phase;
  }

  private get workersByRank(): number[] {
    return [this.local.workers, ...this.ranks.workers];
  }

  private async compareParameters(length: number): Promise<void> {
    const own = async () => sha256OfParameters(floats(this.local.arena, 'parameters', length));
    const [expected, digests] = await this.ranks.together({ kind: 'checksum', parameterCount: length }, 'digest', own);
    const names = this.ranks.namesWhere((other) => digests[other]!.sha256 !== expected);
    if (names.length > 0) throw driftError(names, 'rank 0', this.steps);
  }
}
