// `pseudolabel sweep`: trains with each combination of some numbers, with several seeds and splits, and says which
// combination is best on validation images.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { removeEmptyFolder } from '../../src/files/remove.js';
import { writeIn } from '../../src/files/write.js';
import { counted, duration } from '../../src/format.js';
import { settingParts, settingValue } from '../../src/option-text.js';
import { SCENARIOS } from '../../src/training/scenario.js';
import { loadData } from '../load-data.js';
import { FolderLock } from '../runs/lock.js';
import { networkFor } from '../runs/network.js';
import { resolveRun } from '../runs/resolved-run.js';
import type { RunResult } from '../runs/result.js';
import {
  choicesOf,
  loadSweep,
  type Sweep,
  type SweepRow,
  saveSweep,
  settingsText,
  sweepRows,
  sweepRuns,
  sweptTitle,
} from '../runs/sweep.js';
import { tableLines } from '../terminal/table.js';
import { resumeArgs, withResumeLine } from './invocation.js';
import { refuseIdle } from './option-rules.js';
import {
  addMethodChoice,
  addModelChoice,
  addRunOptions,
  addStagesOption,
  type Context,
  usage,
  whole,
} from './options.js';
import { configFrom, newDirectory, type RunFlags, resumedConfig } from './run-flags.js';
import { runGroup } from './run-group.js';

type Grid = Readonly<Record<string, readonly unknown[]>>;

interface SweepFlags extends RunFlags {
  readonly set?: Grid;
  readonly seeds?: readonly number[];
  readonly splits?: readonly number[];
  readonly random?: number;
}

const HELP = `
Values of one --set stand between commas; several --set are combined in all ways, or --random N of them. Each combination is trained with
each seed and each split, and judged by validation images (--validation): the test images are not looked at. Ctrl-C saves a checkpoint;
--resume DIR goes on.

Examples:
  $ pseudolabel sweep --set finetune.threshold=0.7,0.8,0.9 --seeds 1..5 --validation 5000
  $ pseudolabel sweep --set finetune.rate.initial=1e-3,3e-4 --set finetune.batch=128,256 --splits 1..3 --validation 5000
  $ pseudolabel sweep --resume runs/sweep`;

export function addSweep(program: Command, context: Context): void {
  const command = program
    .command('sweep')
    .description('the same training with different numbers: mean and deviation of each');
  command.addOption(new Option('--scenario <name>', 'what to train (pl)').choices(SCENARIOS));
  addStagesOption(addMethodChoice(addModelChoice(addRunOptions(command))))
    .option('--set <name=values>', 'values of one number, as finetune.threshold=0.7,0.8; may be repeated', gridOf)
    .option('--seeds <list>', 'seeds, as 1..5 or 1,4,9 (that of --seed)', numbersOf)
    .addOption(
      new Option('--splits <list>', 'seeds of random splits, as 1..5')
        .argParser(numbersOf)
        .conflicts(['split', 'splitSeed']),
    )
    .option('--random <n>', 'try so many of the combinations', whole)
    .addHelpText('after', HELP)
    .action((flags: SweepFlags) => sweep(flags, command, context));
}

/** Reads a path and its values. Commas within JSON are part of a value. */
function gridOf(text: string, before: Grid = {}): Grid {
  const parts = settingParts(text);
  if (!parts) throw new InvalidArgumentError('It has to be a path and values, as finetune.threshold=0.7,0.8.');
  const values = parts.value.split(/,(?![^[{]*[\]}])/).map(settingValue);
  return { ...before, [parts.path]: values };
}

const MOST_NUMBERS = 1000;

function numbersOf(text: string): number[] {
  const numbers = text.split(',').flatMap((part) => {
    const [, first, last] = /^\s*(\d{1,15})(?:\.\.(\d{1,15}))?\s*$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last ?? first)];
    if (!(to >= from) || to - from >= MOST_NUMBERS)
      throw new InvalidArgumentError('It has to be numbers, as 1..5 or 1,4,9.');
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
  });
  return [...new Set(numbers)];
}

async function sweep(flags: SweepFlags, command: Command, context: Context): Promise<void> {
  const folder = flags.resume ?? flags.out ?? (await newDirectory('sweep'));
  const lock = await FolderLock.take(folder);
  const { invocation } = context;
  context.goesOn(folder, invocation.line(resumeArgs(command, invocation.typed, folder)));
  try {
    await sweepIn(folder, flags, command, context);
  } catch (error) {
    throw withResumeLine(error, command, folder, invocation);
  } finally {
    await lock.release();
    if (flags.out === undefined) await removeEmptyFolder(folder);
  }
}

async function sweepIn(folder: string, flags: SweepFlags, command: Command, context: Context): Promise<void> {
  const planned = flags.resume === undefined ? await begun(flags, command) : await resumed(folder, flags);
  const { config, choices, seeds, splits } = planned;
  const dataset = await loadData(config, context);
  if (flags.resume === undefined) {
    // This comes first: if a choice is wrong, nothing has been trained or saved yet.
    const network = await networkFor(config, dataset);
    for (const set of choices) resolveRun({ ...config, set: { ...config.set, ...set } }, dataset, network);
    await saveSweep(folder, planned);
  }
  const group = { folder, dashboard: undefined, dataset, test: false, titleOf: sweptTitle };
  const count = choices.length * seeds.length * (splits?.length ?? 1);
  const parts = [
    counted(choices.length, 'combination'),
    counted(seeds.length, 'seed'),
    counted(splits?.length ?? 1, 'split'),
  ];
  context.terminal.note(`${counted(count, 'run')}: ${parts.join(', ')}`);
  const results: RunResult[][] = [];
  for (const runs of sweepRuns(planned, folder)) results.push(await runGroup(runs, group, flags, context));
  const rows = sweepRows(planned, results);
  const value = { directory: folder, rows };
  await writeIn(folder, 'sweep-result.json', `${JSON.stringify(value, null, 2)}\n`);
  context.terminal.doing('writing the report');
  const { writeReport } = await import('../report.js');
  const places = [`runs: ${folder}`, `report: ${await writeReport(folder)}`];
  await context.terminal.deliver(() => [...rowLines(rows), ...places], value, flags.json);
}

async function begun({ set, seeds, splits, random, ...flags }: SweepFlags, command: Command): Promise<Sweep> {
  if (set === undefined)
    throw usage('a sweep without --set', 'give values of a number: --set finetune.threshold=0.7,0.8');
  const config = await configFrom(flags);
  refuseIdle(command, config);
  if (config.validation === 0)
    throw usage('a sweep without --validation', 'add --validation N: test images choose nothing');
  return { config, choices: choicesOf(set, random, config.seed), seeds: seeds ?? [config.seed], splits };
}

async function resumed(folder: string, { set, seeds, splits, random, ...flags }: SweepFlags): Promise<Sweep> {
  const changed = Object.entries({ set, seeds, splits, random }).find(([, value]) => value !== undefined)?.[0];
  if (changed !== undefined) {
    const fix = `leave out --${changed}, or start a new one without --resume`;
    throw usage(`a sweep that is resumed cannot change --${changed}`, fix);
  }
  const saved = await loadSweep(folder);
  return { ...saved, config: resumedConfig(saved.config, flags) };
}

function rowLines(rows: readonly SweepRow[]): string[] {
  const right = { align: 'right' } as const;
  const columns = [
    { title: 'settings', align: 'left' as const },
    ...['validation', 'deviation', 'runs', 'seconds a run'].map((title) => ({ title, ...right })),
  ];
  return tableLines(
    columns,
    rows.map(({ settings, mean, deviation, runs, seconds }) => [
      settingsText(settings),
      `${mean.toFixed(2)} %`,
      deviation === undefined ? '' : deviation.toFixed(2),
      String(runs),
      duration(seconds),
    ]),
  );
}
