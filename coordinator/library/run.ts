// Trains one run for a program: takes options, tells events during the run, and returns the model at its end.
import { pixelNotes } from '../../src/data/summary.js';
import type { Stage } from '../../src/training/stage.js';
import type { SearchProgress } from '../propagation.js';
import type { RunListener } from '../runs/recorder.js';
import { changesOf, type ResolvedRun } from '../runs/resolved-run.js';
import type { Metric, RunResult } from '../runs/result.js';
import { forPrograms, interruptible } from './abort-signal.js';
import { type Classifier, classifierOf, loadModel } from './classify.js';
import { type NodeEvent, placeAt } from './cluster.js';
import { type Missed, type Observed, observed } from './events.js';
import { type Finished, type Planned, type Prepared, prepared, type TrainOptions } from './options.js';
import { type Trained, type Workers, withWorkers } from './workers.js';

/** What happens in a run, in its order. */
export type RunEvent =
  /** The data is loaded, and the workers have started. Counts are numbers of images. */
  | {
      readonly kind: 'start';
      readonly labelled: number;
      readonly unlabelled: number;
      readonly validation: number;
      /** The number of threads. */
      readonly workers: number;
      /**
       * What was assumed or left out when the data was loaded, and what has changed since a resumed run began. Each
       * note is one sentence.
       */
      readonly notes: readonly string[];
    }
  /** A stage begins at its step `firstStep`, from 0; it has `steps` in all. */
  | { readonly kind: 'stage'; readonly stage: Stage['name']; readonly firstStep: number; readonly steps: number }
  /** step, labels, shares, validation, members: as in metrics.jsonl. */
  | Metric
  /** A search for neighbours among very many images goes on: `done` from 0 to 1. */
  | ({ readonly kind: 'searching'; readonly stage: Stage['name'] } & SearchProgress)
  /** A checkpoint was saved at this path. */
  | { readonly kind: 'checkpoint'; readonly path: string }
  | NodeEvent;

/** The measurements and the model of a run that has ended. */
export interface TrainResult extends RunResult, Classifier {
  /** The accuracy on the test images, from 0 to 1; undefined if there are none, or if `test` is false. */
  readonly accuracy: number | undefined;
}

/**
 * A run in the background. It goes on even if nobody iterates over its events. `result` rejects with a
 * PseudolabelError.
 */
export type Run = Observed<RunEvent | Missed, TrainResult>;

/**
 * Trains on the threads of this machine and, with a coordinator, on nodes. The weights have the same bits as those of
 * `pseudolabel train` with the same options. Only one run may go on at a time. Meanwhile the program must not use
 * TensorFlow.js, whose binding is not safe for that.
 * @throws PseudolabelError by its result: E_CONFIG, E_DATA_*, E_SPLIT_TOO_FEW, E_MODEL for what it is given; E_OUTPUT,
 * E_LOCKED, E_CHECKPOINT_* and E_NUMERICS for its directory; E_INTERRUPTED; E_NOT_FINITE, E_WORKER_LOST, E_MEMORY,
 * E_TIMEOUT, E_NATIVE; with a coordinator E_USAGE, E_NODES, E_DRIFT
 */
export function train(options: TrainOptions = {}): Run {
  return observed((tell) =>
    forPrograms(options.resume ?? options.out, () =>
      interruptible(options.signal, async (signal) => trained(await prepared(options, signal), options, tell, signal)),
    ),
  );
}

export type Tell = (event: RunEvent) => void;

/** Trains on workers that it starts and stops. */
export async function trained(
  given: Prepared,
  options: TrainOptions,
  tell: Tell,
  signal: AbortSignal,
): Promise<TrainResult> {
  if (!given.run) return endedBefore(given);
  const { run, how } = given;
  const { coordinator } = options;
  const place = coordinator && placeAt(coordinator, options, run, signal, tell);
  const got = await withWorkers([run], { place }, (workers) => trainedBy(workers, given, tell, signal));
  return ended(how.path, got);
}

/** Trains on workers that are running. */
export function trainedBy(
  workers: Workers,
  { run, note, how }: Planned,
  tell: Tell,
  signal: AbortSignal,
): Promise<Trained> {
  const begins = async () => {
    tell(startOf(run, workers.session.dispatcher.workers, note));
    return listenerOf(tell);
  };
  return workers.train(run, { ...how, signal, begins });
}

/** Returns the result for a program. No thread may compute meanwhile. */
export async function ended(path: string | undefined, { result, model }: Trained): Promise<TrainResult> {
  if (path !== undefined) await (await import('../report.js')).writeReport(path);
  return { ...result, ...(await classifierOf(model)), accuracy: result.testAccuracy };
}

/** Returns the same result for a run that had ended before. */
export async function endedBefore({ path, result }: Finished): Promise<TrainResult> {
  return { ...result, ...(await loadModel(path)), accuracy: result.testAccuracy };
}

/**
 * Makes the event of the start. If the preset's numbers have changed since the run began, the run goes on with its own.
 */
function startOf(run: ResolvedRun, workers: number, note: string | undefined): RunEvent {
  const { labelled, unlabelled, validation } = run.split;
  const counts = { labelled: labelled.length, unlabelled: unlabelled.length, validation: validation.length };
  const changes = changesOf(run).map((change) => `its numbers have changed since it began: ${change}`);
  return {
    kind: 'start',
    ...counts,
    workers,
    notes: [
      ...(run.dataset.notes ?? []),
      ...pixelNotes(run.dataset.train),
      ...(note === undefined ? [] : [note]),
      ...changes,
    ],
  };
}

/** Returns a listener that tells the events of a run to the program. */
function listenerOf(tell: Tell): RunListener {
  return {
    stageBegins: ({ name: stage }, firstStep, steps) => tell({ kind: 'stage', stage, firstStep, steps }),
    measured: tell,
    searching: ({ name: stage }, progress) => tell({ kind: 'searching', stage, ...progress }),
    saved: (path) => tell({ kind: 'checkpoint', path }),
  };
}
