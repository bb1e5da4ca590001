// Runs the threads of an executor. Each task has a workspace of its own, and runs again if its thread is lost.

import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { PseudolabelError } from '../src/errors.js';
import { FROM_CHECKPOINT } from '../src/failures.js';
import { built } from '../src/files/read.js';
import { ModelWriter } from '../src/models/model-text.js';
import type { Result, Task } from '../src/models/tasks.js';
import type { TensorResult, TensorTask } from '../src/models/tensor-tasks.js';
import type { ThreadData } from './thread-entry.js';

/**
 * The deadline of a task. A task takes well under a second. One that takes this long is stuck, and its thread may still
 * write.
 */
const TASK_DEADLINE_MS = 300_000;

/** The most attempts at a task. A task that ends every thread that tries it would end the next one too. */
const ATTEMPTS = 4;

/**
 * Makes piscina load threads by import(). It tries require() before import(). If Node can require an ES module, a
 * thread that is ended during require() ends the whole process (v8::Module::IsGraphAsync; one in about 600 threads that
 * are ended while they start). During import() only the thread ends.
 */
const REQUIRING = '--experimental-require-module';
export const IMPORTING = process.allowedNodeEnvironmentFlags.has(REQUIRING) ? [REQUIRING.replace('--', '--no-')] : [];

export class ThreadPool {
  /** Writes the models of its tasks. */
  readonly models = new ModelWriter();
  private readonly workspaces: Workspaces;
  private lost = 0;
  private closed = false;

  private constructor(
    private readonly threads: Piscina,
    readonly size: number,
  ) {
    this.workspaces = new Workspaces(size);
    // piscina does not replace a thread that was lost while it started. It starts one for a task, so this gives it one.
    threads.on('workerDestroy', () =>
      setImmediate(() => {
        if (!this.closed && threads.threads.length < size) threads.run({ kind: 'start' }).catch(() => undefined);
      }),
    );
    // This is an answer of a thread that was lost just after it. The task is being done again.
    threads.on('error', () => undefined);
  }

  /**
   * Starts a thread for each workspace of the arena. Throws E_MEMORY, or E_NATIVE if the library of products does not
   * load.
   */
  static async start(workerData: ThreadData): Promise<ThreadPool> {
    const { workspaces } = workerData.shape;
    const threads = new Piscina({
      filename: fileURLToPath(built('worker/thread-entry.js')),
      name: 'run',
      minThreads: workspaces,
      maxThreads: workspaces,
      execArgv: [...process.execArgv, ...IMPORTING],
      workerData,
    });
    try {
      const started = Array.from({ length: workspaces }, () => threads.run({ kind: 'start' }));
      await Promise.all(started);
      return new ThreadPool(threads, workspaces);
    } catch (error) {
      await threads.destroy();
      throw PseudolabelError.revive(error);
    }
  }

  /** The number of threads that were lost, each with a task that was done again. */
  get lostThreads(): number {
    return this.lost;
  }

  /**
   * Runs a task in a workspace of its own, and again if its thread is lost. Every task can be repeated, because an
   * update keeps a log.
   */
  async run<R extends Result | TensorResult>(taskIn: (workspace: number) => Task | TensorTask): Promise<R> {
    if (this.closed) throw closedError(undefined);
    for (let attempt = 1; ; attempt++) {
      const workspace = await this.workspaces.take();
      try {
        const task = this.models.write(taskIn(workspace));
        return (await this.threads.run(task, { signal: AbortSignal.timeout(TASK_DEADLINE_MS) })) as R;
      } catch (error) {
        if (this.closed) throw closedError(error);
        if (!isLostThread(error)) throw explained(error);
        this.lost++;
        if (attempt === ATTEMPTS) throw lostWorkersError(error);
      } finally {
        // piscina reports a lost thread after its exit, so nothing writes to the workspace any more.
        this.workspaces.give(workspace);
      }
    }
  }

  /** Ends a thread as a crash would, for tests. */
  async loseThread(index: number): Promise<void> {
    await this.threads.threads[index]?.terminate();
  }

  /** Ends the threads. Tasks in progress reject with E_INTERRUPTED. */
  async close(): Promise<void> {
    this.closed = true;
    await this.threads.destroy();
  }
}

function explained(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'AbortError') return PseudolabelError.revive(error);
  const fix = `the machine may be overloaded or suspended: ${FROM_CHECKPOINT}`;
  return new PseudolabelError('E_TIMEOUT', `a worker did not answer for ${TASK_DEADLINE_MS / 1000} s`, fix);
}

export function isLostThread(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const ranOutOfMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return ranOutOfMemory || error.message.startsWith('worker exited with code');
}

function closedError(cause: unknown): PseudolabelError {
  const message = 'the workers were closed before their work was done';
  return new PseudolabelError('E_INTERRUPTED', message, FROM_CHECKPOINT, { cause });
}

function lostWorkersError(cause: unknown): PseudolabelError {
  const fix = 'look for a lack of memory (dmesg); fewer --workers or --shards need less';
  return new PseudolabelError('E_WORKER_LOST', `${ATTEMPTS} workers ended in the same task`, fix, { cause });
}

/** Knows which workspaces are free. Each has at most one task at a time. Tasks wait in order. */
export class Workspaces {
  private readonly free: number[];
  private readonly waiting: ((workspace: number) => void)[] = [];

  constructor(count: number) {
    this.free = Array.from({ length: count }, (_, workspace) => workspace);
  }

  take(): Promise<number> {
    const workspace = this.free.pop();
    if (workspace !== undefined) return Promise.resolve(workspace);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  give(workspace: number): void {
    const next = this.waiting.shift();
    if (next) next(workspace);
    else this.free.push(workspace);
  }
}
