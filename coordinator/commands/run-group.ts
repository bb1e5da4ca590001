// Runs on the same images, one after the other in one session: those that have a result already are read, the others go on or begin.
import type { Dataset } from '../../src/data/dataset.js';
import { refuseLinks } from '../../src/files/write.js';
import { duration, percent } from '../../src/format.js';
import { rampLines } from '../../src/training/alpha-ramp.js';
import type { RunConfig } from '../../src/training/config.js';
import { openSession } from '../compose.js';
import type { Dashboard } from '../dashboard/dashboard.js';
import { nameWithin } from '../dashboard/recorded.js';
import { networkFor } from '../runs/network.js';
import type { PlannedRun } from '../runs/reproduction.js';
import { type ResolvedRun, resolveRun, type Session } from '../runs/resolved-run.js';
import type { RunResult } from '../runs/result.js';
import { checkPlan, earlierRun, newRun } from '../runs/resume.js';
import { runTraining } from '../runs/run.js';
import { RunDirectory } from '../runs/run-directory.js';
import type { Context } from './options.js';
import type { RunFlags } from './run-flags.js';
import { type WatchFlags, watchersOf, wrapperFor } from './watched-run.js';

/** What the runs have in common. */
export interface Group {
  /** That their directories lie in. */
  readonly folder: string;
  readonly dashboard: Dashboard | undefined;
  readonly dataset: Dataset;
  /** Whether they look at the test images. */
  readonly test: boolean;
  titleOf(config: RunConfig): string;
}

interface Unfinished {
  readonly run: ResolvedRun;
  readonly path: string;
}

/** planned: of one split, so that they share their images. */
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
  const session = first && (await openSession([first, ...others], undefined, wrapper));
  try {
    for (const [index, each] of runs.entries()) {
      const earlier = results[index];
      context.terminal.note(`${group.titleOf(each.run.config)}${earlier ? ' (finished before)' : ''}`);
      const result = earlier ?? (await runOne(session!, each, group, flags, context));
      results[index] = result;
      const accuracy = group.test ? result.testAccuracy : result.validationAccuracy;
      context.terminal.note(`  ${accuracy === undefined ? 'done' : percent(accuracy)} in ${duration(result.seconds)}`);
    }
    return results as RunResult[];
  } finally {
    await session?.close();
  }
}

async function runOne(
  session: Session,
  { run, path }: Unfinished,
  { folder, dashboard, test, titleOf }: Group,
  { validateEvery = 0, allowMixed = false }: RunFlags,
  context: Context,
): Promise<RunResult> {
  const name = nameWithin(folder, path);
  await refuseLinks(folder, name);
  const opened = RunDirectory.isAt(path)
    ? await earlierRun(run, session.numerics, path, undefined, allowMixed)
    : await newRun(run, path);
  for (const line of rampLines(run.stages, run.config.maxSteps)) context.terminal.note(`  ${line}`);
  const among = { name, title: titleOf(run.config) };
  const listener = await watchersOf(run, session, { path, dashboard, among }, context);
  const result = await runTraining(run, session, { ...opened, signal: context.signal, validateEvery, test, listener });
  dashboard?.ends(result);
  return result;
}
