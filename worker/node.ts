// Owns the local node: an arena, a pool of threads, and the promise that a lost thread costs time and nothing else.
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { built } from '../src/built.js';
import type { TrainingState } from '../src/checkpoint.js';
import { shardRange } from '../src/data/shards.js';
import { type Arena, type ArenaShape, bytes, createArena, floats } from '../src/engine/arena.js';
import { BLOCK, loadKernel } from '../src/engine/kernel/kernel.js';
import { layoutOf, type Model } from '../src/engine/model.js';
import { roundParameters } from '../src/engine/rounded.js';
import { prepareForThreads } from '../src/engine/tensorflow.js';
import { PseudolabelError } from '../src/errors.js';
import type { FactorResult, FactorTask } from '../src/protocol/factors.js';
import type { Node, NodeHealth, ShardStep } from '../src/protocol/node.js';
import type { Logits, SlicedStep, SliceResult, SliceTask } from '../src/protocol/slices.js';
import type {
  GradientResult,
  OptimizerStep,
  PredictResult,
  PredictTask,
  Result,
  Task,
  UpdateResult,
  UpdateTask,
} from '../src/protocol/tasks.js';
import { Factors } from './factors.js';
import { Lanes } from './lanes.js';
import { SlicedSteps } from './sliced.js';
import type { ThreadData } from './task.js';
import { WholeSteps } from './whole-steps.js';

/** A task takes well under a second. One that takes this long is stuck, and a stuck thread cannot be trusted to stop writing. */
const TASK_DEADLINE_MS = 300_000;

/** A task that kills every thread that tries it will kill the next one too. */
const ATTEMPTS = 4;

/**
 * piscina tries require() before import(). Where Node can require an ES module, a thread that is ended in the middle of it ends the whole
 * process (v8::Module::IsGraphAsync, one in some 600 threads ended while they start); in the middle of an import() only the thread ends.
 */
const REQUIRING = '--experimental-require-module';
const IMPORTING = process.allowedNodeEnvironmentFlags.has(REQUIRING) ? [REQUIRING.replace('--', '--no-')] : [];

export interface NodeOptions {
  readonly shape: ArenaShape;
  /** Bytes: shape.unlabelled and shape.evaluation images of shape.pixels each. */
  readonly images: Uint8Array;
  readonly evaluationImages: Uint8Array;
}

/** shape.lanes threads. Throws E_MEMORY, or E_NATIVE where TensorFlow does not load. */
export async function createLocalNode({ shape, images, evaluationImages }: NodeOptions): Promise<LocalNode> {
  prepareForThreads();
  const arena = createArena(shape);
  bytes(arena, 'images', images.length).set(images);
  bytes(arena, 'evaluationImages', evaluationImages.length).set(evaluationImages);
  const workerData: ThreadData = { memory: arena.memory, shape };
  const pool = new Piscina({
    filename: fileURLToPath(built('worker/task.js')),
    name: 'run',
    minThreads: shape.lanes,
    maxThreads: shape.lanes,
    execArgv: [...process.execArgv, ...IMPORTING],
    workerData,
  });
  try {
    const started = Array.from({ length: shape.lanes }, () => pool.run({ kind: 'start' }));
    const [first] = (await Promise.all(started)) as { writesInPlace: boolean }[];
    return new LocalNode(arena, pool, first!.writesInPlace);
  } catch (error) {
    await pool.destroy();
    throw PseudolabelError.revive(error);
  }
}

export class LocalNode implements Node {
  readonly name = 'local';
  readonly workers: number;
  /** Steps of a part of the slices, for those who share them out over machines. */
  readonly sliced: SlicedSteps;
  private readonly wholeSteps: WholeSteps;
  /** Sums as low-rank factors, for those who exchange them with other machines. */
  readonly factors: Factors;
  private readonly lanes: Lanes;
  private readonly kernel;
  private updates = 0;
  private lostWorkers = 0;
  private closed = false;

  constructor(
    /** For those who bring its content to other machines, between its phases. */
    readonly arena: Arena,
    private readonly pool: Piscina,
    readonly writesInPlace: boolean,
  ) {
    this.workers = arena.shape.lanes;
    this.lanes = new Lanes(this.workers);
    this.kernel = loadKernel(arena.memory);
    this.sliced = new SlicedSteps(arena, this.workers, (task) => this.run<SliceResult>(() => task));
    this.wholeSteps = new WholeSteps(arena, this.workers, {
      forward: async (step) => (await this.sliced.forward(step))[0]!,
      onward: async (values) => (await this.sliced.onward(values))[0]!,
      backward: (values) => this.sliced.backward(values),
    });
    this.factors = new Factors(arena, this.workers, (task) => this.run<FactorResult>(() => task));
    // piscina replaces a lost thread, but not one that was still starting. It does start one for a task, so give it one.
    pool.on('workerDestroy', () =>
      setImmediate(() => {
        if (!this.closed && pool.threads.length < this.workers) pool.run({ kind: 'start' }).catch(() => undefined);
      }),
    );
    // The answer of a thread that was lost just after it gave it: the task is being done again.
    pool.on('error', () => undefined);
  }

  health(): NodeHealth {
    return { lostWorkers: this.lostWorkers };
  }

  gradients(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    return Promise.all(steps.map((step) => this.run<GradientResult>((lane) => ({ ...step, kind: 'gradient', lane }))));
  }

  update(model: Model, shards: number, optimizer: OptimizerStep): Promise<UpdateResult[]> {
    return this.updateBy(model, { shards, optimizer });
  }

  /** Updates the parameters by the gradient that the arena's total holds; with a rank, that its factors are of. */
  updateByTotal(model: Model, optimizer: OptimizerStep, rank?: number): Promise<UpdateResult[]> {
    const factored = rank === undefined ? undefined : { model, rank };
    return this.updateBy(model, { shards: 1, isSummed: true, factored, optimizer });
  }

  private updateBy(
    model: Model,
    how: Pick<UpdateTask, 'shards' | 'isSummed' | 'factored' | 'optimizer'>,
  ): Promise<UpdateResult[]> {
    const { length } = layoutOf(model);
    const blocks = Math.ceil(length / BLOCK);
    this.updates++;
    const update = this.updates;
    const slices = Array.from({ length: Math.min(this.workers, blocks) }, (_, slice) => {
      const [first, end] = shardRange(blocks, Math.min(this.workers, blocks), slice);
      return { slice, start: first * BLOCK, end: Math.min(end * BLOCK, length) };
    });
    return Promise.all(
      slices.map((slice) => this.run<UpdateResult>(() => ({ kind: 'update', update, ...slice, ...how }))),
    );
  }

  forward(step: SlicedStep): Promise<Logits> {
    return this.wholeSteps.forward(step);
  }

  backward(gradient: Float32Array): Promise<SliceResult[]> {
    return this.wholeSteps.backward(gradient);
  }

  predict(
    model: Model,
    set: PredictTask['set'],
    ranges: readonly (readonly [number, number])[],
  ): Promise<PredictResult[]> {
    return Promise.all(
      ranges.map(([start, end]) =>
        this.run<PredictResult>((lane) => ({ kind: 'predict', lane, model, set, start, end })),
      ),
    );
  }

  async read(parameters: number): Promise<TrainingState> {
    const { unlabelled } = this.arena.shape;
    return {
      parameters: floats(this.arena, 'parameters', parameters).slice(),
      firstMoment: floats(this.arena, 'firstMoment', parameters).slice(),
      secondMoment: floats(this.arena, 'secondMoment', parameters).slice(),
      pseudoLabels: bytes(this.arena, 'pseudoLabels', unlabelled).slice(),
      confidences: floats(this.arena, 'confidences', unlabelled).slice(),
    };
  }

  write(state: Partial<TrainingState>): void {
    for (const region of ['parameters', 'firstMoment', 'secondMoment', 'confidences'] as const) {
      const values = state[region];
      if (values) floats(this.arena, region, values.length).set(values);
    }
    if (state.parameters) roundParameters(this.arena, this.kernel, state.parameters.length);
    if (state.pseudoLabels) bytes(this.arena, 'pseudoLabels', state.pseudoLabels.length).set(state.pseudoLabels);
  }

  /** The bytes [start, end) of the parameters have been written by somebody else. */
  parametersCame(start: number, end: number): void {
    roundParameters(this.arena, this.kernel, Math.ceil(end / 4), Math.floor(start / 4));
  }

  /** Ends a thread as a crash would. For tests of what happens then. */
  async loseThread(index: number): Promise<void> {
    await this.pool.threads[index]?.terminate();
  }

  /** Ends the threads; what they were doing rejects with E_INTERRUPTED. */
  async close(): Promise<void> {
    this.closed = true;
    await this.pool.destroy();
  }

  /** Runs a task in a lane of its own; again, if its thread is lost. Every task can be done again: the update keeps a journal. */
  private async run<R extends Result | SliceResult | FactorResult>(
    taskIn: (lane: number) => Task | SliceTask | FactorTask,
  ): Promise<R> {
    if (this.closed) throw wasClosed(undefined);
    for (let attempt = 1; ; attempt++) {
      const lane = await this.lanes.take();
      try {
        return (await this.pool.run(taskIn(lane), { signal: AbortSignal.timeout(TASK_DEADLINE_MS) })) as R;
      } catch (error) {
        if (this.closed) throw wasClosed(error);
        if (!isLostThread(error)) throw this.explained(error);
        this.lostWorkers++;
        if (attempt === ATTEMPTS) throw lost(error);
      } finally {
        // piscina reports a lost thread when it has exited, so that nobody writes to the lane any more.
        this.lanes.give(lane);
      }
    }
  }

  private explained(error: unknown): unknown {
    if (!(error instanceof Error) || error.name !== 'AbortError') return PseudolabelError.revive(error);
    const fix = 'the machine may be overloaded or suspended: resume from the last checkpoint with --resume';
    return new PseudolabelError('E_TIMEOUT', `a worker did not answer for ${TASK_DEADLINE_MS / 1000} s`, fix);
  }
}

function isLostThread(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const ranOutOfMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return ranOutOfMemory || error.message.startsWith('worker exited with code');
}

function wasClosed(cause: unknown): PseudolabelError {
  const fix = 'resume from the last checkpoint with --resume';
  return new PseudolabelError('E_INTERRUPTED', 'the node was closed before its work was done', fix, { cause });
}

function lost(cause: unknown): PseudolabelError {
  const fix = 'look for a lack of memory (dmesg); fewer --workers or --shards need less';
  return new PseudolabelError('E_WORKER_LOST', `${ATTEMPTS} workers ended in the same task`, fix, { cause });
}
