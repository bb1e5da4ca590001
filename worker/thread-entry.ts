// Runs a worker thread: attaches to the arena once, then does one task after another. It has no state but caches.
import { threadId, workerData } from 'node:worker_threads';
import { clock } from '../src/clock.js';
import { Images } from '../src/data/images.js';
import { type ArenaShape, attachArena, type ImageSets } from '../src/engine/arena.js';
import { PseudolabelError } from '../src/errors.js';
import { tensorStep } from '../src/models/dense/tensor-step.js';
import { describe } from '../src/models/describe.js';
import { createEngine, type Engine } from '../src/models/engine.js';
import { gradient } from '../src/models/gradient.js';
import { norm } from '../src/models/gradient-clipping.js';
import { ModelReader, type Written } from '../src/models/model-text.js';
import { neighbours } from '../src/models/neighbours.js';
import { predict } from '../src/models/predict.js';
import type { Result, Task } from '../src/models/tasks.js';
import type { TensorResult, TensorTask } from '../src/models/tensor-tasks.js';
import { update } from '../src/models/update.js';

export interface ThreadData {
  readonly memory: WebAssembly.Memory;
  readonly shape: ArenaShape;
  readonly images: ImageSets;
}

/**
 * Milliseconds. A thread that is being ended runs on for less time, and this is short enough to wait for the error of
 * one that is not.
 */
const ENDING_MS = 1000;

let engine: Engine | undefined;
const models = new ModelReader();

/** Does a task. piscina calls this function. 'start' makes the thread ready. */
export async function run(
  given: Written<Task | TensorTask> | { readonly kind: 'start' },
): Promise<Result | TensorResult | undefined> {
  engine ??= start();
  if (given.kind === 'start') return undefined;
  try {
    const task = models.read(given) as Task | TensorTask;
    if ('model' in task && task.model && task.kind !== 'tensor-step') await engine.prepare(task.model);
    const began = clock();
    const result = perform(engine, task);
    return { ...result, span: { worker: threadId, began, ended: clock() } };
  } catch (error) {
    if (!(error instanceof PseudolabelError)) letEndCome();
    throw error;
  }
}

/**
 * Waits, so that a thread that is being ended ends here. It may run on for a moment, in which the native library
 * returns no results. An error in that moment is not an answer to its task, which another thread will do.
 */
function letEndCome(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ENDING_MS);
}

function perform(engine: Engine, task: Task | TensorTask): Result | TensorResult {
  switch (task.kind) {
    case 'gradient':
      return gradient(engine, task);
    case 'norm':
      return norm(engine, task);
    case 'update':
      return update(engine, task);
    case 'predict':
      return predict(engine, task);
    case 'describe':
      return describe(engine, task);
    case 'neighbours':
      return neighbours(task);
    case 'tensor-step':
      return tensorStep(engine, task);
  }
}

function start(): Engine {
  const { memory, shape, images } = workerData as ThreadData;
  const { unlabelled, evaluation } = images;
  const revived = { unlabelled: Images.revived(unlabelled), evaluation: Images.revived(evaluation) };
  return createEngine(attachArena(memory, shape, revived));
}
