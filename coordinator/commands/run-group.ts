// Trains runs on the same images, one after the other in one session. Runs that have a result are read; the others
// begin or go on.
import type { Dataset } from '../../src/data/dataset.js';
import { refuseLinks } from '../../src/files/write.js';
import { duration, percent } from '../../src/format.js';
import { rampLines } from '../../src/training/alpha-ramp.js';
import type { RunConfig } from '../../src/training/config.js';
import type { Dashboard } from '../dashboard/dashboard.js';
import { nameWithin } from '../dashboard/recorded.js';
import { openWorkers, type Workers } from '../library/workers.js';
import { networkFor } from '../runs/network.js';
import type { PlannedRun } from '../runs/reproduction.js';
import { type ResolvedRun, resolveRun } from '../runs/resolved-run.js';
import type { RunResult } from '../runs/result.js';
import { checkPlan } from '../runs/resume.js';
import { RunDirectory } from '../runs/run-directory.js';
import type { Context } from './options.js';
import type { RunFlags } from './run-flags.js';
import { type WatchFlags, watchersOf, wrapperFor } from './watched-run.js';

/** What the runs have in common. */
export interface Group {
  /** The folder that holds their directories. */
  readonly folder: string;
  readonly dashboard: Dashboard | undefined;
  readonly dataset: Dataset;
  /** Whether they are measured on the test images. */
  readonly test: boolean;
  titleOf(config: RunConfig): string;
}

interface Unfinished {
  readonly run: ResolvedRun;
  readonly path: string;
}

/** Returns the results of these runs. planned: the runs of one split, so that they share their images. */
export async function runGroup(
  planned: readonly PlannedRun[],
  group: Group,
  flags: RunFlags & WatchFlags,
  context: Context,
): Promise<RunResult[]> {
  const runs = await Promise.all(
    planned.map(async ({ config, path }): Promise<Unfinished> => {
      const { dataset } = group;
      return { run: resolveRun(config, dataset, await networkFor(config, dataset)), path };
    }),
  );
  for (const { run, path } of runs) await checkPlan(run, path);
  const results = await Promise.all(runs.map(({ path }) => RunDirectory.resultOf(path)));
  const [first, ...others] = runs.filter((_, index) => results[index] === undefined).map(({ run }) => run);
  const wrapper = wrapperFor(flags, group.dashboard);
  if (first) context.terminal.doing('starting workers');
  const workers = first && (await openWorkers([first, ...others], { wrap: wrapper }));
  try {
    for (const [index, each] of runs.entries()) {
      const earlier = results[index];
      context.terminal.note(`${group.titleOf(each.run.config)}${earlier ? ' (finished before)' : ''}`);
      const result = earlier ?? (await runOne(workers!, each, group, flags, context));
      results[index] = result;
      const accuracy = group.test ? result.testAccuracy : result.validationAccuracy;
      context.terminal.note(`  ${accuracy === undefined ? 'done' : percent(accuracy)} in ${duration(result.seconds)}`);
    }
    return results as RunResult[];
  } finally {
    await workers?.close();
  }
}

async function runOne(
  workers: Workers,
  { run, path }: Unfinished,
  { folder, dashboard, test, titleOf }: Group,
  { validateEvery = 0, allowMixed = false }: RunFlags,
  context: Context,
): Promise<RunResult> {
  const { signal, terminal } = context;
  const name = nameWithin(folder, path);
  await refuseLinks(folder, name);
  const { result } = await workers.train(run, {
    path,
    allowMixed,
    signal,
    validateEvery,
    test,
    earlier: RunDirectory.isAt(path) ? { path, checkpoint: undefined } : undefined,
    begins: async () => {
      for (const line of rampLines(run.stages, run.config.maxSteps)) terminal.note(`  ${line}`);
      const among = { name, title: titleOf(run.config) };
      return watchersOf(run, workers.session, { path, dashboard, among }, context);
    },
  });
  dashboard?.ends(result);
  return result;
}
