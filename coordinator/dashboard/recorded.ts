// Serves dashboards of what has ended, from its directory: of a run, or of a reproduction with all its runs.
import { join, relative, sep } from 'node:path';
import { PseudolabelError } from '../../src/errors.js';
import { percent } from '../../src/format.js';
import { STAGE_TITLES } from '../../src/reporting/curves.js';
import { settingsOf } from '../../src/reporting/numbers.js';
import type { RunConfig } from '../../src/training/config.js';
import { rowName } from '../../src/training/scenario.js';
import {
  isReproduction,
  loadReproduction,
  nameOfRow,
  type PlannedRun,
  publishedOf,
  type Reproduction,
  type RowKind,
  rowsOf,
  runsOf,
  titleOf,
} from '../runs/reproduction.js';
import type { RunResult } from '../runs/result.js';
import { RunDirectory } from '../runs/run-directory.js';
import type { Runs } from './audience.js';
import { History } from './history.js';
import type { News, RunNews, TableNews } from './messages.js';
import { doubtfulNews, viewsNews } from './pictures.js';
import { type DashboardServer, serve } from './server.js';

/** Serves the dashboard of a directory. Throws E_LISTEN, E_REPORT, E_USAGE. */
export async function serveRecorded(directory: string, port: number): Promise<DashboardServer> {
  const here = { host: '127.0.0.1', port };
  if (RunDirectory.isAt(directory))
    return serve({ history: await recordedHistory(directory), gauges: undefined, directory }, here);
  if (!isReproduction(directory)) {
    const fix = `open ${join(directory, 'report.html')}, or give the directory of a run or a reproduction`;
    throw new PseudolabelError('E_USAGE', `${directory} holds no run that a dashboard could show`, fix);
  }
  const runs = await Reproduced.open(await loadReproduction(directory), directory);
  const history = runs.last === undefined ? undefined : await runs.history(runs.last);
  if (!history) throw new PseudolabelError('E_REPORT', `no run of ${directory} has begun`, 'start it by --resume');
  runs.ends(runs.isComplete ? 'ended' : 'interrupted');
  return serve({ history, runs, gauges: undefined, directory }, here);
}

/**
 * Reads the history of a run. name: that of the run within its reproduction; defaults to that of its directory. Throws
 * E_REPORT.
 */
async function recordedHistory(path: string, name?: string, title?: string): Promise<History> {
  const { readRun } = await import('../report.js');
  const run = await readRun(path, name);
  const names = [...new Set(run.metrics.map(({ stage }) => stage))];
  const stages = names.map((each) => {
    const steps = run.metrics.filter((metric) => metric.kind === 'step' && metric.stage === each);
    return { title: STAGE_TITLES[each], steps: (steps.at(-1)?.step ?? 0) + 1 };
  });
  const info = {
    name: run.name,
    title: title ?? rowName(run.config),
    stages,
    hasReport: true,
    classNames: run.data?.classNames,
    settings: settingsOf(run.config.stages),
    views: viewsNews(run.views),
  };
  const doubtful = doubtfulNews(run.doubtful);
  const unsure = doubtful && {
    cursor: 1,
    since: (cursor = 0) => (cursor < 1 ? doubtful : undefined),
    looked: () => undefined,
  };
  const history = new History(info, names, run.metrics, undefined, undefined, [], unsure);
  const { testAccuracy, validationAccuracy, seconds } = run.result ?? { seconds: 0 };
  const at = Date.parse(String(run.machine?.ended)) || null;
  const text = testAccuracy === undefined ? 'the run ended' : `the run ended: test accuracy ${percent(testAccuracy)}`;
  if (run.result) history.ends('ended', text, { testAccuracy, validationAccuracy, seconds, at });
  else history.ends('interrupted', 'the run has not ended: this is what it has written so far');
  return history;
}

interface Known extends PlannedRun {
  readonly name: string;
  result: RunResult | undefined;
}

export class Reproduced implements Runs {
  table: TableNews;
  private current: { readonly name: string; readonly history: History } | undefined;

  private constructor(
    readonly directory: string,
    private readonly config: RunConfig,
    private readonly scenarios: readonly RowKind[],
    private readonly splits: readonly (readonly Known[])[],
  ) {
    this.table = this.tableOf('running');
  }

  static async open(reproduction: Reproduction, directory: string): Promise<Reproduced> {
    const known = async (run: PlannedRun): Promise<Known> => ({
      ...run,
      name: nameWithin(directory, run.path),
      result: await RunDirectory.resultOf(run.path),
    });
    const splits = await Promise.all(runsOf(reproduction, directory).map((runs) => Promise.all(runs.map(known))));
    return new Reproduced(directory, reproduction.config, reproduction.scenarios, splits);
  }

  begins(name: string, history: History): void {
    this.current = { name, history };
    this.table = this.tableOf('running');
  }

  ended(name: string, result: RunResult): void {
    this.splits.flat().find((run) => run.name === name)!.result = result;
    this.current = undefined;
    this.table = this.tableOf('running');
  }

  /** Ends the whole reproduction. */
  ends(state: News['state']): void {
    this.current = undefined;
    this.table = this.tableOf(state);
  }

  get isComplete(): boolean {
    return this.splits.flat().every(({ result }) => result);
  }

  /** The name of the last run that has begun. */
  get last(): string | undefined {
    return this.splits.flat().findLast(({ path }) => RunDirectory.isAt(path))?.name;
  }

  async history(name: string): Promise<History | undefined> {
    if (name === this.current?.name) return this.current.history;
    const run = this.splits.flat().find((each) => each.name === name);
    if (!run || !RunDirectory.isAt(run.path)) return undefined;
    return recordedHistory(run.path, name, titleOf(run.config));
  }

  private tableOf(state: News['state']): TableNews {
    const rows = this.scenarios.map((scenario, s) => {
      const runs = this.splits.map((split) => split[s]!);
      const results = runs.flatMap(({ result }) => result ?? []);
      const [row] = results.length > 0 ? rowsOf([scenario], results, this.config) : [];
      return {
        name: nameOfRow(scenario),
        ...publishedOf(scenario, this.config),
        ours: row?.accuracy === undefined ? undefined : { accuracy: row.accuracy, deviation: row.deviation },
        runs: runs.map((run) => this.newsOf(run)),
      };
    });
    const isRepeated = this.splits[0]![0]!.name.includes('/');
    return { rows, splits: isRepeated ? this.splits.map((_, index) => `Split ${index + 1}`) : ['Run'], state };
  }

  private newsOf({ name, path, result }: Known): RunNews {
    const past = result ? 'ended' : RunDirectory.isAt(path) ? 'stopped' : 'waiting';
    const state = name === this.current?.name ? 'running' : past;
    return { name, state, accuracy: result?.testAccuracy };
  }
}

/** Returns the path of a run within the directory of its reproduction, with slashes. */
export const nameWithin = (directory: string, path: string): string => relative(directory, path).split(sep).join('/');
