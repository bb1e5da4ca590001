// Trains runs on the same images with the same workers, one after another. Both programs and commands train all their
// runs this way.
import { PseudolabelError } from '../../src/errors.js';
import type { SavedModel } from '../../src/models/saved-model.js';
import type { RunConfig } from '../../src/training/config.js';
import type { Executor } from '../../src/training/executor.js';
import { openSession } from '../compose.js';
import type { ExecutionPlace } from '../place.js';
import { type RunListener, type RunOptions, together } from '../runs/recorder.js';
import type { ResolvedRun, Session } from '../runs/resolved-run.js';
import type { RunResult } from '../runs/result.js';
import { type Earlier, earlierRun, newRun, type OpenedRun } from '../runs/resume.js';
import { runTraining } from '../runs/run.js';

type Opened = Pick<RunOptions, 'directory' | 'resumeFrom'>;

/** How one run is trained. */
export interface Training extends Pick<RunOptions, 'signal' | 'validateEvery' | 'test'> {
  /** Its directory. If undefined, nothing is written. */
  readonly path: string | undefined;
  /** The earlier run that goes on. If undefined, the run is new. */
  readonly earlier: Earlier | undefined;
  /** If true, the run may be resumed on a machine that computes other bits. */
  readonly allowMixed: boolean;
  /** Is called before the first step. Returns the listener that is told of the run. */
  begins(opened: Opened): Promise<RunListener>;
}

/** A run that has ended. */
export interface Trained {
  readonly result: RunResult;
  readonly model: SavedModel;
}

export interface Workers {
  readonly session: Session;
  /**
   * Trains one of the runs, when the one before has ended. Throws the errors of newRun(), earlierRun() and
   * runTraining().
   */
  train(run: ResolvedRun, how: Training): Promise<Trained>;
  close(): Promise<void>;
}

export interface WorkerOptions {
  /** Defaults to the threads of this process. */
  readonly place?: ExecutionPlace | undefined;
  readonly wrap?: ((executor: Executor) => Executor) | undefined;
}

/**
 * Starts workers for these runs.
 * @throws PseudolabelError E_CONFIG if the runs cannot share them; the errors of openSession()
 */
export async function openWorkers(
  runs: readonly [ResolvedRun, ...ResolvedRun[]],
  { place, wrap }: WorkerOptions = {},
): Promise<Workers> {
  checkAlike(runs);
  const session = await openSession(runs, place, wrap);
  return { session, train: (run, how) => trainBy(session, run, how), close: () => session.close() };
}

/** Starts workers, and stops them when the work has ended. */
export async function withWorkers<T>(
  runs: readonly [ResolvedRun, ...ResolvedRun[]],
  options: WorkerOptions,
  work: (workers: Workers) => Promise<T>,
): Promise<T> {
  const workers = await openWorkers(runs, options);
  try {
    return await work(workers);
  } finally {
    await workers.close();
  }
}

async function trainBy(
  session: Session,
  run: ResolvedRun,
  { path, earlier, allowMixed, begins, ...how }: Training,
): Promise<Trained> {
  const opened: Opened | OpenedRun = earlier
    ? await earlierRun(run, session.numerics, earlier.path, earlier.checkpoint, allowMixed)
    : path === undefined
      ? { directory: undefined, resumeFrom: undefined }
      : await newRun(run, path);
  let model: SavedModel | undefined;
  const keep: RunListener = {
    trained: (saved) => {
      model = saved;
    },
  };
  const watching = await begins(opened).catch(async (error: unknown) => {
    await opened.directory?.close();
    throw error;
  });
  const result = await runTraining(run, session, { ...opened, ...how, listener: together([keep, watching]) });
  return { result, model: model! };
}

/** Options that must be the same for all runs that share workers. */
const SHARED = ['split', 'splitSeed', 'labelsPerClass', 'validation', 'workers', 'shards', 'strategy', 'wire'] as const;

function checkAlike([first, ...others]: readonly [ResolvedRun, ...ResolvedRun[]]): void {
  for (const { config, dataset } of others) {
    if (dataset !== first.dataset) throw unlike('data', first.dataset.name, dataset.name);
    const name = SHARED.find((each) => config[each] !== first.config[each]);
    if (name !== undefined) throw unlike(name, first.config[name], config[name]);
  }
}

const unlike = (name: keyof RunConfig, one: unknown, other: unknown): PseudolabelError =>
  new PseudolabelError(
    'E_CONFIG',
    `${name}: ${one} of one run, ${other} of another, and they have the same images and workers`,
    `give runs of another ${name} to another call`,
  );
