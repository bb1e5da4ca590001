// One run from its workers to its result: the way that `train()` goes, and `pseudolabel train`.
import type { SavedModel } from '../../src/models/saved-model.js';
import type { Executor } from '../../src/training/executor.js';
import { openSession, type Place } from '../compose.js';
import { type RunListener, type RunOptions, together } from '../runs/recorder.js';
import type { ResolvedRun, Session } from '../runs/resolved-run.js';
import type { RunResult } from '../runs/result.js';
import { type Earlier, earlierRun, newRun } from '../runs/resume.js';
import { runTraining } from '../runs/run.js';

export interface OneRun extends Pick<RunOptions, 'signal' | 'validateEvery' | 'test'> {
  /** Its directory; undefined: nothing is written. */
  readonly path: string | undefined;
  /** Where it was begun before; undefined: it is new. */
  readonly earlier: Earlier | undefined;
  /** It may go on where other bits are computed. */
  readonly allowMixed: boolean;
  /** Left out: the threads of this process. */
  readonly place?: Place | undefined;
  readonly wrap?: ((executor: Executor) => Executor) | undefined;
  /** Called when the workers are there. */
  ready?(session: Session): void;
  /** Called before the first step. Gives who is told of the run. */
  begins(session: Session, opened: Opened): Promise<RunListener>;
}

type Opened = Pick<RunOptions, 'directory' | 'resumeFrom'>;

/** Throws what openSession(), newRun(), earlierRun() and runTraining() throw. */
export async function oneRun(
  run: ResolvedRun,
  { path, earlier, allowMixed, place, wrap, ready, begins, ...how }: OneRun,
): Promise<{ readonly result: RunResult; readonly trained: SavedModel }> {
  const session = await openSession([run], place, wrap);
  try {
    ready?.(session);
    const opened: Opened = earlier
      ? await earlierRun(run, session.numerics, earlier.path, earlier.checkpoint, allowMixed)
      : path === undefined
        ? { directory: undefined, resumeFrom: undefined }
        : await newRun(run, path);
    let trained: SavedModel | undefined;
    const keep: RunListener = {
      trained: (model) => {
        trained = model;
      },
    };
    const watching = await begins(session, opened).catch(async (error: unknown) => {
      await opened.directory?.close();
      throw error;
    });
    const listener = together([keep, watching]);
    const result = await runTraining(run, session, { ...opened, ...how, listener });
    return { result, trained: trained! };
  } finally {
    await session.close();
  }
}
