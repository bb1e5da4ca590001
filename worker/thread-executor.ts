// The executor of one machine: an arena, and threads that do the tasks of each phase. Any thread can do any task.
import { cached } from '../src/cached.js';
import { shardRange } from '../src/data/shards.js';
import { type Arena, type ArenaShape, createArena, floats, type ImageSets, pseudoLabels } from '../src/engine/arena.js';
import { UPDATE_CHUNK } from '../src/engine/kernel/kernel.js';
import type { OptimizerStep } from '../src/engine/optimizer.js';
import type { Rows } from '../src/graph/rows.js';
import { clipScaleOf } from '../src/models/gradient-clipping.js';
import type { Model } from '../src/models/model.js';
import { beforeThreads, needsTensorFlow, parameterCount, statisticsStart } from '../src/models/models.js';
import type {
  DescribeResult,
  Description,
  GradientResult,
  NeighboursResult,
  NormResult,
  NormTask,
  PredictResult,
  PredictTask,
  UpdateResult,
  UpdateTask,
} from '../src/models/tasks.js';
import type { TensorResult, TensorStep } from '../src/models/tensor-tasks.js';
import { VECTORS } from '../src/protocol/tensor-codec.js';
import type {
  Executor,
  ExecutorHealth,
  ForwardPass,
  Gradients,
  Ranges,
  ShardStep,
  TrainingState,
} from '../src/training/executor.js';
import { passOf, TensorPasses, TensorSteps } from './tensor-steps.js';
import { ThreadPool } from './thread-pool.js';

export interface ThreadExecutorOptions {
  readonly shape: ArenaShape;
  /**
   * The images, as many as the shape says. If left out, the arena has room for them (arena.images), and they come
   * later.
   */
  readonly images?: ImageSets;
}

/** Starts shape.workspaces threads. Throws E_MEMORY, or E_NATIVE if a native library does not load. */
export async function createThreadExecutor({ shape, images }: ThreadExecutorOptions): Promise<ThreadExecutor> {
  const arena = createArena(shape, images);
  return new ThreadExecutor(arena, await ThreadPool.start({ memory: arena.memory, shape, images: arena.images }));
}

export class ThreadExecutor implements Executor {
  readonly workers: number;
  /** Does steps of some tensor shards, for executors that share them out over machines. */
  readonly tensor: TensorSteps;
  private readonly wholeSteps: TensorPasses;
  private updates = 0;
  private readonly passed = new Map<string, Promise<void>>();

  constructor(
    /** The arena, for executors that copy its content to other machines between phases. */
    readonly arena: Arena,
    private readonly pool: ThreadPool,
  ) {
    this.workers = pool.size;
    this.tensor = new TensorSteps(arena, this.workers, (task) => this.pool.run<TensorResult>(() => task));
    this.wholeSteps = new TensorPasses(arena, this.workers, async (step) =>
      passOf((await this.tensor.forward(step))[0]!, {
        onward: async (values) => (await this.tensor.onward(values))[0]!,
        backward: (values) => this.tensor.backward(values),
      }),
    );
  }

  health(): ExecutorHealth {
    return { lostWorkers: this.pool.lostThreads };
  }

  async gradients(steps: readonly ShardStep[]): Promise<Gradients> {
    const results = await this.computeGradients(steps);
    const { model, shards } = steps[0]!;
    return { results, update: (optimizer) => this.updateBy(model, { shards, optimizer }) };
  }

  /**
   * Computes some of a step's gradients, or none. It is for executors that share out the shards and sum the gradients
   * themselves.
   */
  async computeGradients(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    const [first] = steps;
    if (first) await this.passedBefore(first.model);
    return Promise.all(
      steps.map((step) => this.pool.run<GradientResult>((workspace) => ({ ...step, kind: 'gradient', workspace }))),
    );
  }

  /** Passes a TensorFlow model once in this thread. Runs between phases, when no thread computes. */
  private async passedBefore(model: Model): Promise<void> {
    if (!needsTensorFlow(model)) return;
    await cached(this.passed, this.pool.models.text(model), () => beforeThreads(model));
  }

  /** Updates the parameters by the gradient in the arena's total. */
  updateByTotal(model: Model, optimizer: OptimizerStep): Promise<UpdateResult[]> {
    return this.updateBy(model, { shards: 1, isSummed: true, optimizer });
  }

  private async updateBy(
    model: Model,
    { optimizer, ...how }: Pick<UpdateTask, 'shards' | 'isSummed' | 'optimizer'>,
  ): Promise<UpdateResult[]> {
    const length = parameterCount(model);
    const gradient = { ...how, statistics: statisticsStart(model) };
    const chunks = Math.ceil(length / UPDATE_CHUNK);
    const slices = Array.from({ length: Math.min(this.workers, chunks) }, (_, slice) => {
      const [first, end] = shardRange(chunks, Math.min(this.workers, chunks), slice);
      return { slice, start: first * UPDATE_CHUNK, end: Math.min(end * UPDATE_CHUNK, length) };
    });
    const { clip } = optimizer;
    const norms = clip === undefined ? [] : await this.forEach<NormResult>(slices, { kind: 'norm', ...gradient });
    const summed =
      clip === undefined ? gradient : { ...gradient, shards: 1, isSummed: true, scale: clipScaleOf(clip, norms) };
    this.updates++;
    const task = { kind: 'update', update: this.updates, optimizer, ...summed } as const;
    const updates = await this.forEach<UpdateResult>(slices, task);
    return [...norms.map(({ squares: _, ...result }) => result), ...updates];
  }

  private forEach<R extends NormResult | UpdateResult>(slices: readonly Slice[], how: OfSlices): Promise<R[]> {
    return Promise.all(slices.map((slice) => this.pool.run<R>(() => ({ ...how, ...slice }))));
  }

  forward(step: TensorStep): Promise<ForwardPass> {
    return this.wholeSteps.forward(step);
  }

  async predict(
    model: Model,
    set: PredictTask['set'],
    ranges: Ranges,
    { withRunnersUp = false } = {},
  ): Promise<PredictResult[]> {
    await this.passedBefore(model);
    const task = { kind: 'predict', model, set, withRunnersUp } as const;
    return Promise.all(
      ranges.map(([start, end]) => this.pool.run<PredictResult>((workspace) => ({ ...task, workspace, start, end }))),
    );
  }

  async describe(description: Description, ranges: Ranges): Promise<DescribeResult[]> {
    if (description.model) await this.passedBefore(description.model);
    const task = { ...description, kind: 'describe' } as const;
    return Promise.all(
      ranges.map(([start, end]) => this.pool.run<DescribeResult>((workspace) => ({ ...task, workspace, start, end }))),
    );
  }

  async neighbours({ memory, shape }: Rows, neighbours: number, blocks: Ranges): Promise<NeighboursResult[]> {
    const task = { kind: 'neighbours', memory, shape, neighbours } as const;
    return Promise.all(
      blocks.map(([start, end]) =>
        this.pool.run<NeighboursResult>((workspace) => ({ ...task, workspace, start, end })),
      ),
    );
  }

  async read(parameterCount: number): Promise<TrainingState> {
    const { unlabelled } = this.arena.shape;
    return {
      parameters: floats(this.arena, 'parameters', parameterCount).slice(),
      firstMoment: floats(this.arena, 'firstMoment', parameterCount).slice(),
      secondMoment: floats(this.arena, 'secondMoment', parameterCount).slice(),
      ...(this.arena.shape.averages && { average: floats(this.arena, 'average', parameterCount).slice() }),
      pseudoLabels: pseudoLabels(this.arena).slice(),
      confidences: floats(this.arena, 'confidences', unlabelled).slice(),
    };
  }

  write(state: Partial<TrainingState>): void {
    for (const region of [...VECTORS, 'average', 'confidences'] as const) {
      const values = state[region];
      if (values) floats(this.arena, region, values.length).set(values);
    }
    if (state.pseudoLabels) pseudoLabels(this.arena).set(state.pseudoLabels);
  }

  /** Ends a thread as a crash would, for tests. */
  loseThread(index: number): Promise<void> {
    return this.pool.loseThread(index);
  }

  /** Ends the threads. Tasks in progress reject with E_INTERRUPTED. */
  close(): Promise<void> {
    return this.pool.close();
  }
}

type Slice = Pick<UpdateTask, 'slice' | 'start' | 'end'>;
/** A task of each slice, before the slice is known. */
type OfSlices = Omit<UpdateTask, keyof Slice> | Omit<NormTask, keyof Slice>;
