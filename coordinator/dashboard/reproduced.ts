// Owns the runs of a reproduction, for a page: the table that they make so far, and each of them, from its directory.
import { relative, sep } from 'node:path';
import type { RunConfig } from '../../src/training/config.js';
import { publishedFor, ROW_NAMES, type Scenario } from '../../src/training/scenario.js';
import { type PlannedRun, type Reproduction, rowsOf, runsOf, titleOf } from '../runs/reproduction.js';
import type { RunResult } from '../runs/result.js';
import { RunDirectory } from '../runs/run-directory.js';
import type { Runs } from './audience.js';
import type { History } from './history.js';
import type { News, RunNews, TableNews } from './messages.js';
import { recordedHistory } from './past.js';

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
    private readonly scenarios: readonly Scenario[],
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

  /** All of it. */
  ends(state: News['state']): void {
    this.current = undefined;
    this.table = this.tableOf(state);
  }

  get isComplete(): boolean {
    return this.splits.flat().every(({ result }) => result);
  }

  /** The last of those that have begun. */
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
        ...{ name: ROW_NAMES[scenario], ...publishedFor(scenario, this.config) },
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

/** Where a run is in the directory of a reproduction. */
export const nameWithin = (directory: string, path: string): string => relative(directory, path).split(sep).join('/');
