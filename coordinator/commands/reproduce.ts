// `pseudolabel reproduce`: trains the report's four scenarios, one run after the other, and prints the table that they
// make.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { PseudolabelError } from '../../src/errors.js';
import { removeEmptyFolder } from '../../src/files/remove.js';
import { writeIn } from '../../src/files/write.js';
import { duration } from '../../src/format.js';
import { flagOf } from '../../src/option-text.js';
import { PRESETS } from '../../src/training/presets/presets.js';
import { SCENARIOS } from '../../src/training/scenario.js';
import { Reproduced } from '../dashboard/recorded.js';
import { loadData } from '../load-data.js';
import { FolderLock } from '../runs/lock.js';
import {
  isModern,
  loadReproduction,
  notOfModern,
  type Reproduction,
  ROWS,
  type RowKind,
  rowsOf,
  runsOf,
  saveReproduction,
  titleOf,
} from '../runs/reproduction.js';
import { resolveRun } from '../runs/resolved-run.js';
import type { RunResult } from '../runs/result.js';
import { dataLines, idleLine, rowLines, sessionLine } from '../terminal/summary.js';
import { resumeArgs, withResumeLine } from './invocation.js';
import { refuseIdle } from './option-rules.js';
import { addRunOptions, type Context, usage, whole } from './options.js';
import { configFrom, newDirectory, type RunFlags, resumedConfig } from './run-flags.js';
import { runGroup } from './run-group.js';
import { addDashboardOptions, addFaultOptions, dashboardAt, placeOf, type WatchFlags } from './watched-run.js';

interface ReproduceFlags extends RunFlags, WatchFlags {
  readonly scenarios?: readonly RowKind[];
  readonly splits?: number;
}

const HELP = `
The rows are NN, DropNN, DropNN+PL and DropNN+PL+DAE; modern, a small convolutional network with label propagation, comes with them
unless another preset, network, strategy or number of steps is asked for, which it does not have. A row above the report's accuracy is marked with ✓.
On other data than MNIST (--data), or with other than 10 labels a class, there are no published figures beside ours.
Ctrl-C saves a checkpoint first; --resume DIR goes on with the row that was interrupted.
--dashboard is one page for all runs: the table so far, and the run that is on.

Examples:
  $ pseudolabel reproduce --quick
  $ pseudolabel reproduce --preset report --out runs/report
  $ pseudolabel reproduce --splits 5 --scenarios pl,dae
  $ pseudolabel reproduce --dashboard
  $ pseudolabel reproduce --resume runs/report`;

export function addReproduce(program: Command, context: Context): void {
  const command = program
    .command('reproduce')
    .description("the report's table: four scenarios, against report and paper");
  addDashboardOptions(addRunOptions(command, PRESETS))
    .option('--insecure', 'the dashboard without TLS, beyond this machine too')
    .option('--certificate <file>', 'your own certificate, PEM (one that is made on first use)')
    .option('--key <file>', 'its key, PEM')
    .option('--scenarios <list>', 'rows, as nn,drop,pl,dae,modern (all)', scenarioList)
    .addOption(
      new Option('--splits <k>', 'repeat over the random splits 1 to k: mean and deviation')
        .argParser(whole)
        .conflicts(['split', 'splitSeed']),
    )
    .addHelpText('after', HELP)
    .action((flags: ReproduceFlags) => reproduce(flags, command, context));
  addFaultOptions(command);
}

function scenarioList(text: string): RowKind[] {
  const names = text.split(',').map((name) => name.trim());
  const unknown = names.find((name) => !ROWS.some((scenario) => scenario === name));
  if (unknown !== undefined) throw new InvalidArgumentError(`There is no ${unknown}; choose from ${ROWS.join(', ')}.`);
  return ROWS.filter((scenario) => names.includes(scenario));
}

async function reproduce(flags: ReproduceFlags, command: Command, context: Context): Promise<void> {
  const folder = flags.resume ?? flags.out ?? (await newDirectory('reproduce'));
  const lock = await FolderLock.take(folder);
  const { invocation } = context;
  context.goesOn(folder, invocation.line(resumeArgs(command, invocation.typed, folder)));
  try {
    await reproduceIn(folder, flags, command, context);
  } finally {
    await lock.release();
    if (flags.out === undefined) await removeEmptyFolder(folder);
  }
}

async function reproduceIn(folder: string, flags: ReproduceFlags, command: Command, context: Context): Promise<void> {
  const { terminal } = context;
  const reproduction = flags.resume === undefined ? await begun(flags, command) : await resumed(folder, flags, command);
  const { config, scenarios } = reproduction;
  const dataset = await loadData(config, context);
  // This comes first: if it fails, nothing wrong has been printed or saved. The scenario dae has both kinds of stages.
  const whole = resolveRun({ ...config, scenario: 'dae' }, dataset);
  if (flags.resume === undefined) await saveReproduction(folder, reproduction);
  const isToldRows = flags.scenarios !== undefined || flags.resume !== undefined;
  const leftOut = isToldRows ? undefined : leftOutLine(notOfModern(config));
  for (const line of [sessionLine(whole), ...dataLines(dataset), leftOut, idleLine(whole, config.workers)])
    if (line !== undefined) terminal.note(line);
  const place = placeOf(flags);
  const dashboard = place && (await dashboardAt(place, folder, await Reproduced.open(reproduction, folder)));
  const results: RunResult[] = [];
  try {
    const group = { folder, dashboard, dataset, test: true, titleOf };
    for (const runs of runsOf(reproduction, folder))
      for (const each of [runs.filter((run) => !isModern(run)), runs.filter(isModern)])
        results.push(...(await runGroup(each, group, flags, context)));
    await dashboard?.close();
  } catch (error) {
    await dashboard?.fails(error);
    throw withResumeLine(error, command, folder, context.invocation);
  }
  const rows = rowsOf(scenarios, results, config);
  const { preset, quick } = config;
  const value = { directory: folder, preset, quick, splits: reproduction.splits, rows };
  await writeIn(folder, 'reproduce.json', `${JSON.stringify(value, null, 2)}\n`);
  const { writeReport } = await import('../report.js');
  const placeLines = [`run directory: ${folder}`, `report: ${await writeReport(folder)}`];
  const timeLine = `seconds are those of training; this took ${duration(performance.now() / 1000)} in all`;
  await terminal.deliver((colours) => [...rowLines(rows, colours), timeLine, ...placeLines], value, flags.json);
}

async function begun(flags: ReproduceFlags, command: Command): Promise<Reproduction> {
  const config = await configFrom(flags);
  if (config.stages)
    throw new PseudolabelError(
      'E_CONFIG',
      'stages: those of one run, where each row has its own',
      'leave `stages` out of the config',
    );
  refuseIdle(command, config);
  return {
    config,
    scenarios: flags.scenarios ?? (notOfModern(config).length === 0 ? ROWS : SCENARIOS),
    splits: flags.splits,
  };
}

/** Returns a line about the row that is left out, or undefined if none is. */
export function leftOutLine(options: readonly string[]): string | undefined {
  if (options.length === 0) return undefined;
  const flags = options.map(flagOf).join(', ');
  return `modern: left out, since ${flags} ${options.length === 1 ? 'is' : 'are'} not for it`;
}

async function resumed(folder: string, flags: ReproduceFlags, command: Command): Promise<Reproduction> {
  const saved = await loadReproduction(folder);
  for (const key of ['scenarios', 'splits'] as const) {
    if (flags[key] === undefined || String(flags[key]) === String(saved[key])) continue;
    const fix = `leave out --${key}, or start a new one without --resume`;
    throw usage(`a reproduction that is resumed cannot change --${key}`, fix);
  }
  const config = resumedConfig(saved.config, flags);
  refuseIdle(command, config);
  return { ...saved, config };
}
