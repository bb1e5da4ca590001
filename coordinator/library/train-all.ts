// Trains several runs for a program, one after another, on the same images and the same workers, for example a sweep.
import { setImmediate } from 'node:timers/promises';
import type { Dataset } from '../../src/data/dataset.js';
import { DATA_OPTIONS, type DataOptions } from '../../src/data/options.js';
import { forPrograms, interruptible } from './abort-signal.js';
import { observed } from './events.js';
import { type Load, loaded, type Prepared, prepared, type TrainOptions } from './options.js';
import { ended, endedBefore, type Run, trained, trainedBy } from './run.js';
import { openWorkers, type Workers } from './workers.js';

/** The options that each of several runs may have of its own. All runs share the other options. */
export type EachOptions = Omit<
  TrainOptions,
  | keyof DataOptions
  | ('split' | 'splitSeed' | 'labelsPerClass' | 'validation' | 'workers' | 'shards' | 'strategy' | 'wire')
  | ('coordinator' | 'nodes' | 'nodesTimeout' | 'local' | 'signal')
>;

/**
 * Trains a run for each of these options. Checks all of them before the first one is trained, and then starts threads
 * once. Yields a run when it begins. The loop's next turn waits until that run has ended, and throws the error that its
 * result rejects with. Leaving the loop stops the current run. Each run has the bits of `train` with the same options.
 * @param shared the options of all runs
 * @param each the further options of each run; its `set` is added to that of all
 * @throws PseudolabelError as train(); E_CONFIG for runs that do not have the same images and workers
 */
export async function* trainAll(
  shared: TrainOptions,
  each: readonly EachOptions[],
): AsyncGenerator<Run, void, undefined> {
  const stop = new AbortController();
  const leave = (): void => stop.abort(shared.signal?.reason);
  if (shared.signal?.aborted) leave();
  shared.signal?.addEventListener('abort', leave, { once: true });
  let workers: Workers | undefined;
  let last: Run | undefined;
  try {
    const options = each.map((own) => merged(shared, own));
    const plans = await interruptible(stop.signal, (signal) => allPrepared(options, signal));
    workers = shared.coordinator ? undefined : await workersOf(plans);
    for (const [index, plan] of plans.entries()) {
      last = begun(plan, options[index]!, workers, stop.signal);
      last.result.catch(() => undefined); // The error is thrown below, even if nobody reads the result.
      yield last;
      await last.result;
    }
  } finally {
    leave();
    shared.signal?.removeEventListener('abort', leave);
    await last?.result.catch(() => undefined);
    await workers?.close();
  }
}

function merged(shared: TrainOptions, own: EachOptions): TrainOptions {
  const set = shared.set || own.set ? { set: { ...shared.set, ...own.set } } : {};
  return { ...shared, ...own, ...set };
}

/** Prepares all runs. Images are loaded once. */
async function allPrepared(options: readonly TrainOptions[], signal: AbortSignal): Promise<Prepared[]> {
  const known = new Map<string, Promise<Dataset>>();
  const load: Load = (config, until) => {
    const key = JSON.stringify(Object.keys(DATA_OPTIONS).map((name) => config[name as keyof DataOptions]));
    const data = known.get(key) ?? loaded(config, until);
    known.set(key, data);
    return data;
  };
  const plans: Prepared[] = [];
  for (const each of options) plans.push(await prepared(each, signal, load));
  return plans;
}

/** Starts workers for the runs that have not ended before. */
async function workersOf(plans: readonly Prepared[]): Promise<Workers | undefined> {
  const [first, ...others] = plans.flatMap(({ run }) => run ?? []);
  return first && openWorkers([first, ...others]);
}

/** Begins a run. workers: undefined if nodes compute it, because nodes join one run after another. */
function begun(plan: Prepared, options: TrainOptions, workers: Workers | undefined, until: AbortSignal): Run {
  return observed((tell) =>
    forPrograms(options.resume ?? options.out, () =>
      interruptible(until, async (signal) => {
        await setImmediate(); // Waits, so that whoever gets the run can read its events from the first one on.
        if (!plan.run) return endedBefore(plan);
        if (!workers) return trained(plan, options, tell, signal);
        return ended(plan.how.path, await trainedBy(workers, plan, tell, signal));
      }),
    ),
  );
}
