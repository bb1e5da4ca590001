// Describes the reproduction of the report's table: its runs, their folders, and the rows that they make.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { PseudolabelError } from '../../src/errors.js';
import { readJson, whyNotRead } from '../../src/files/read.js';
import { writeIn } from '../../src/files/write.js';
import { meanAndDeviation } from '../../src/reporting/metrics.js';
import type { ReproductionRow } from '../../src/reporting/reproduction-page.js';
import { normalise, type RunConfig } from '../../src/training/config.js';
import { publishedFor, ROW_NAMES, SCENARIOS } from '../../src/training/scenario.js';
import { defaultShards } from '../../src/training/shards.js';
import type { RunResult } from './result.js';

/** The rows of the table: the report's scenarios, and the preset modern with the same labels. */
export const ROWS = [...SCENARIOS, 'modern'] as const;
export type RowKind = (typeof ROWS)[number];

const TITLES: Record<RowKind, string> = { ...ROW_NAMES, modern: 'Conv net + label propagation' };

const rowOf = ({ preset, scenario }: Pick<RunResult, 'preset' | 'scenario'>): RowKind =>
  preset === 'modern' ? 'modern' : scenario;

/** Returns the config of a row. config: that of the reproduction. */
function configOf(row: RowKind, config: RunConfig): RunConfig {
  if (row !== 'modern') return { ...config, scenario: row };
  const { shards, ...others } = config;
  const asked = shards === defaultShards(config) ? {} : { shards };
  return normalise({ ...others, ...asked, preset: 'modern', scenario: 'pl' });
}

export interface Reproduction {
  /** The config of every run, except for its scenario and its split. */
  readonly config: RunConfig;
  readonly scenarios: readonly RowKind[];
  /** The number of random splits, with seeds from 1. If undefined, there is only the split of config. */
  readonly splits: number | undefined;
}

export interface PlannedRun {
  readonly config: RunConfig;
  readonly path: string;
}

/** Options of the other rows' network and training. The row modern has its own. */
const NOT_OF_MODERN = [
  ...(['preset', 'hidden', 'strategy', 'maxSteps'] as const),
  ...(['refresh', 'threshold', 'classShares', 'augment'] as const),
];

/**
 * Returns the given options that have no meaning for the row modern. If there are any, and the user names no rows, this
 * row is left out.
 */
export function notOfModern(config: RunConfig): readonly (keyof RunConfig)[] {
  const defaults = normalise({});
  return NOT_OF_MODERN.filter((option) => config[option] !== defaults[option]);
}

/** A row of the table, with the runs that it is made from. */
export interface Row extends ReproductionRow {
  readonly scenario: RowKind;
  readonly runs: readonly RunResult[];
}

/** The file that is written at the beginning, to resume from. */
const FILE = 'reproduction.json';
const SAVED = z.strictObject({
  config: z.unknown(),
  scenarios: z.array(z.enum(ROWS)).min(1),
  splits: z.int().min(1).optional(),
});

/** Returns the runs of each split. The runs of a split share their images. */
export function runsOf({ config, scenarios, splits }: Reproduction, folder: string): PlannedRun[][] {
  if (splits === undefined) {
    return [scenarios.map((row) => ({ config: configOf(row, config), path: join(folder, row) }))];
  }
  return Array.from({ length: splits }, (_, index) => {
    const splitSeed = index + 1;
    return scenarios.map((row) => ({
      config: configOf(row, { ...config, split: 'random', splitSeed }),
      path: join(folder, `split-${splitSeed}`, row),
    }));
  });
}

export const titleOf = ({ preset, scenario, split, splitSeed }: RunConfig): string =>
  `${TITLES[rowOf({ preset, scenario })]}${split === 'random' ? `, split ${splitSeed}` : ''}`;

/** Returns the rows of the table. results: at least one of each scenario. config: that of the reproduction. */
export function rowsOf(scenarios: readonly RowKind[], results: readonly RunResult[], config: RunConfig): Row[] {
  return scenarios.map((scenario) => {
    const runs = results.filter((result) => rowOf(result) === scenario);
    const mean = (of: (run: RunResult) => number): number => meanAndDeviation(runs.map(of)).mean;
    const accuracies = runs.flatMap(({ testAccuracy }) => (testAccuracy === undefined ? [] : [100 * testAccuracy]));
    const measured = accuracies.length > 0 ? meanAndDeviation(accuracies) : undefined;
    const { paper, report } = publishedOf(scenario, config) ?? {};
    return {
      scenario,
      name: TITLES[scenario],
      paper,
      report,
      accuracy: measured?.mean,
      deviation: accuracies.length > 1 ? measured?.deviation : undefined,
      aboveReport: measured !== undefined && report !== undefined && measured.mean > report,
      steps: mean((run) => run.steps),
      seconds: mean((run) => run.seconds),
      imagesPerSecond: mean((run) => run.imagesPerSecond),
      runs,
    };
  });
}

/** Returns the numbers of the report and the paper for a row. */
export const publishedOf = (row: RowKind, config: RunConfig) =>
  row === 'modern' ? undefined : publishedFor(row, config);

export const nameOfRow = (row: RowKind): string => TITLES[row];

/** Returns whether a run has the preset modern. Its network and shards differ from those of the report's rows. */
export const isModern = ({ config }: PlannedRun): boolean => config.preset === 'modern';

export const isReproduction = (folder: string): boolean => existsSync(join(folder, FILE));

/** Writes the reproduction. Throws E_OUTPUT. */
export async function saveReproduction(folder: string, reproduction: Reproduction): Promise<void> {
  if (isReproduction(folder)) {
    const fix = 'give another --out, or --resume this one';
    throw new PseudolabelError('E_OUTPUT', `${folder} holds a reproduction already`, fix);
  }
  await writeIn(folder, FILE, `${JSON.stringify(reproduction, null, 2)}\n`);
}

/** Reads the reproduction in the folder. Throws E_CHECKPOINT_MISSING if there is none. */
export async function loadReproduction(folder: string): Promise<Reproduction> {
  const file = join(folder, FILE);
  try {
    const { config, scenarios, splits } = SAVED.parse(await readJson(file));
    return { config: normalise(config), scenarios, splits };
  } catch (cause) {
    const fix = 'give the folder of an earlier `pseudolabel reproduce`; a single run is resumed by `pseudolabel train`';
    throw new PseudolabelError('E_CHECKPOINT_MISSING', `${file} cannot be read: ${whyNotRead(cause)}`, fix, { cause });
  }
}
