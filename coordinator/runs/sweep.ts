// Describes a sweep: runs of the same training with different numbers, seeds and splits, and the validation accuracy of
// each choice of numbers.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { PseudolabelError } from '../../src/errors.js';
import { readJson, whyNotRead } from '../../src/files/read.js';
import { writeIn } from '../../src/files/write.js';
import { settingTexts } from '../../src/option-text.js';
import { keyOf, Stream } from '../../src/random.js';
import { meanAndDeviation } from '../../src/reporting/metrics.js';
import { normalise, type RunConfig } from '../../src/training/config.js';
import type { Settings } from '../../src/training/settings.js';
import type { PlannedRun } from './reproduction.js';
import type { RunResult } from './result.js';

export interface Sweep {
  /** The config of every run, except for its settings, its seed and its split. */
  readonly config: RunConfig;
  /** The settings that are tried. */
  readonly choices: readonly Settings[];
  readonly seeds: readonly number[];
  /** The seeds of random splits. If undefined, there is only the split of config. */
  readonly splits: readonly number[] | undefined;
}

/** Accuracies in per cent, over the seeds and the splits. */
export interface SweepRow {
  readonly settings: Settings;
  readonly runs: number;
  readonly mean: number;
  /** undefined for a single run. */
  readonly deviation: number | undefined;
  readonly seconds: number;
}

/** The file that is written at the beginning, to resume from. */
const FILE = 'sweep.json';
const settings = z.record(z.string(), z.unknown());
const seeds = z.array(z.int().min(0)).min(1).max(1000);
const SAVED = z.strictObject({
  config: z.unknown(),
  choices: z.array(settings).min(1).max(10_000),
  seeds,
  splits: seeds.optional(),
});

/** Returns every combination of the values. With `random`, returns only that many of them, drawn by the seed. */
export function choicesOf(
  grid: Readonly<Record<string, readonly unknown[]>>,
  random: number | undefined,
  seed: number,
): Settings[] {
  const all = Object.entries(grid).reduce<Settings[]>(
    (choices, [path, values]) => choices.flatMap((choice) => values.map((value) => ({ ...choice, [path]: value }))),
    [{}],
  );
  if (random === undefined || random >= all.length) return all;
  const drawn = new Stream(keyOf(seed, 'sweep')).permutation(all.length).subarray(0, random).sort();
  return Array.from(drawn, (each) => all[each]!);
}

/** Returns the runs of each split. The runs of a split share their images. */
export function sweepRuns({ config, choices, seeds, splits }: Sweep, folder: string): PlannedRun[][] {
  const digits = String(choices.length).length;
  return (splits ?? [undefined]).map((split) =>
    choices.flatMap((choice, c) =>
      seeds.map((seed) => ({
        config: {
          ...config,
          seed,
          set: { ...config.set, ...choice },
          ...(split === undefined ? {} : { split: 'random' as const, splitSeed: split }),
        },
        path: join(
          folder,
          `${String(c + 1).padStart(digits, '0')}-seed-${seed}${split === undefined ? '' : `-split-${split}`}`,
        ),
      })),
    ),
  );
}

/**
 * Returns the rows, the best first. Leaves out choices of which no run has ended.
 * @param results of the runs of each split, in the order of sweepRuns(); undefined: the run has not ended
 */
export function sweepRows(
  { choices, seeds }: Sweep,
  results: readonly (readonly (RunResult | undefined)[])[],
): SweepRow[] {
  const rows = choices.flatMap((settings, c) => {
    const runs = results
      .flatMap((ofSplit) => ofSplit.slice(c * seeds.length, (c + 1) * seeds.length))
      .filter((run) => run !== undefined);
    if (runs.length === 0) return [];
    const { mean, deviation } = meanAndDeviation(
      runs.map(({ validationAccuracy = Number.NaN }) => 100 * validationAccuracy),
    );
    const seconds = meanAndDeviation(runs.map((run) => run.seconds)).mean;
    return [{ settings, runs: runs.length, mean, deviation: runs.length > 1 ? deviation : undefined, seconds }];
  });
  return rows.sort((a, b) => b.mean - a.mean);
}

/** Returns settings as text, such as 'finetune.threshold=0.7 seed=1'. */
export const settingsText = (settings: RunConfig['set']): string => settingTexts(settings).join(' ');

export const sweptTitle = ({ set, seed, split, splitSeed }: RunConfig): string =>
  `${settingsText(set)}, seed ${seed}${split === 'random' ? `, split ${splitSeed}` : ''}`;

export const isSweep = (folder: string): boolean => existsSync(join(folder, FILE));

/** Writes the sweep. Throws E_OUTPUT. */
export async function saveSweep(folder: string, sweep: Sweep): Promise<void> {
  if (existsSync(join(folder, FILE)))
    throw new PseudolabelError(
      'E_OUTPUT',
      `${folder} holds a sweep already`,
      'give another --out, or --resume this one',
    );
  await writeIn(folder, FILE, `${JSON.stringify(sweep, null, 2)}\n`);
}

/** Reads the sweep in the folder. Throws E_CHECKPOINT_MISSING if there is none. */
export async function loadSweep(folder: string): Promise<Sweep> {
  const file = join(folder, FILE);
  try {
    const { config, ...sweep } = SAVED.parse(await readJson(file));
    return { ...sweep, config: normalise(config), splits: sweep.splits };
  } catch (cause) {
    const fix = 'give the folder of an earlier `pseudolabel sweep`';
    throw new PseudolabelError('E_CHECKPOINT_MISSING', `${file} cannot be read: ${whyNotRead(cause)}`, fix, { cause });
  }
}
