// Writes report.html and plots/ from the files that a run, a reproduction, a sweep or a scaling measurement left in its
// folder.
import { existsSync } from 'node:fs';
import { basename, join, relative, resolve, sep } from 'node:path';
import type { z } from 'zod';
import { PseudolabelError } from '../src/errors.js';
import { MOST_TEXT_BYTES, parseJson, readJson, readText, whyNotRead } from '../src/files/read.js';
import { refuseLinks, writeIn } from '../src/files/write.js';
import { svgOfBars } from '../src/reporting/bars.js';
import { standalone, svgOf } from '../src/reporting/chart.js';
import { chartsOf } from '../src/reporting/curves.js';
import {
  CONFIG,
  DATA,
  DOUBTFUL,
  MACHINE,
  METRIC,
  MISTAKES,
  RECONSTRUCTIONS,
  RESULT,
  type RunRecord,
  VIEWS,
} from '../src/reporting/record.js';
import { barsOf, reproductionPage } from '../src/reporting/reproduction-page.js';
import { runPage } from '../src/reporting/run-page.js';
import { type SweptRun, sweepPage } from '../src/reporting/sweep-page.js';
import type { RunConfig } from '../src/training/config.js';
import { isReproduction, loadReproduction, rowsOf, runsOf, titleOf } from './runs/reproduction.js';
import { RunDirectory } from './runs/run-directory.js';
import { isSweep, loadSweep, settingsText, sweepRows, sweepRuns, sweptTitle } from './runs/sweep.js';
import { isScaling, writeScalingReport } from './scaling/report.js';

const FILE = 'report.html';

/** The most bytes of a file that is read. A thousand images in MISTAKES take a tenth of this. */
const MOST_BYTES = 2 ** 26;

/**
 * Writes the report of what the folder holds, and of each run of a reproduction. Returns its path. Throws E_REPORT,
 * E_OUTPUT.
 */
export async function writeReport(folder: string): Promise<string> {
  if (RunDirectory.isAt(folder)) return writeRunReport(folder);
  if (isReproduction(folder)) return writeReproductionReport(folder);
  if (isSweep(folder)) return writeSweepReport(folder);
  if (isScaling(folder)) return writeScalingReport(folder, parsed);
  const fix = 'give the --out folder of `pseudolabel train`, `reproduce`, `sweep` or `scaling`';
  throw new PseudolabelError(
    'E_REPORT',
    `${folder} holds neither a run, a reproduction, a sweep nor a scaling measurement`,
    fix,
  );
}

async function writeRunReport(folder: string): Promise<string> {
  const run = await readRun(folder);
  const { training, quality } = chartsOf(run);
  for (const chart of [...training, ...quality]) {
    await writeIn(folder, `plots/${chart.id}.svg`, `${svgOf(chart)}\n`);
  }
  await writeIn(folder, FILE, runPage(run));
  return join(folder, FILE);
}

async function writeReproductionReport(folder: string): Promise<string> {
  const reproduction = await loadReproduction(folder);
  const splits = runsOf(reproduction, folder);
  const planned = splits.flat().filter(({ path }) => RunDirectory.isAt(path));
  const runs = [];
  for (const { path, config } of planned) {
    const folderOf = relative(folder, path).split(sep).join('/');
    await refuseLinks(folder, folderOf);
    await writeRunReport(path);
    runs.push({ title: titleOf(config), folder: folderOf, record: await readRun(path) });
  }
  const results = await Promise.all(planned.map(({ path }) => RunDirectory.resultOf(path)));
  const ended = results.filter((result) => result !== undefined);
  const scenarios = reproduction.scenarios.filter(
    (each) => rowsOf([each], ended, reproduction.config)[0]!.runs.length > 0,
  );
  const detailed = splits[0]!.filter(({ path }) => planned.some((run) => run.path === path)).length;
  const rows = rowsOf(scenarios, ended, reproduction.config);
  const bars = barsOf(rows);
  if (rows.some(({ accuracy }) => accuracy !== undefined))
    await writeIn(folder, `plots/${bars.id}.svg`, `${standalone(svgOfBars(bars), bars.title)}\n`);
  const text = reproductionPage(nameOf(folder), rows, runs, detailed);
  await writeIn(folder, FILE, text);
  return join(folder, FILE);
}

async function writeSweepReport(folder: string): Promise<string> {
  const sweep = await loadSweep(folder);
  const splits = sweepRuns(sweep, folder);
  const results = await Promise.all(
    splits.map((runs) => Promise.all(runs.map(({ path }) => RunDirectory.resultOf(path)))),
  );
  const rows = sweepRows(sweep, results);
  const runs: (SweptRun & { readonly config: RunConfig })[] = [];
  for (const { path, config } of splits.flat().filter(({ path }) => RunDirectory.isAt(path)))
    runs.push({ title: sweptTitle(config), folder: nameOf(path), config, record: await readRun(path) });
  // Shows the first run of each row, whatever its seed.
  const shown = rows.flatMap(({ settings }) => {
    const isOfRow = ({ set = {} }: RunConfig): boolean =>
      Object.entries(settings).every(([path, value]) => JSON.stringify(set[path]) === JSON.stringify(value));
    const run = runs.find(({ config }) => isOfRow(config));
    return run ? [{ ...run, title: settingsText(settings) }] : [];
  });
  const titled = rows.map(({ settings, ...row }) => ({ ...row, title: settingsText(settings) }));
  await writeIn(folder, FILE, sweepPage(nameOf(folder), titled, runs, shown, splits.flat().length));
  return join(folder, FILE);
}

const nameOf = (folder: string): string => basename(resolve(folder));

/** Reads the files of a run. Throws E_REPORT if a file is not what a run writes. */
export async function readRun(folder: string, name = nameOf(folder)): Promise<RunRecord> {
  const optional = async <T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> =>
    existsSync(join(folder, file)) ? parsed(join(folder, file), schema) : undefined;
  return {
    name,
    config: await parsed(join(folder, 'config.json'), CONFIG),
    metrics: await readMetrics(join(folder, 'metrics.jsonl')),
    data: await optional('data.json', DATA),
    result: await optional('result.json', RESULT),
    mistakes: await optional('mistakes.json', MISTAKES),
    reconstructions: await optional('reconstructions.json', RECONSTRUCTIONS),
    views: await optional('views.json', VIEWS),
    doubtful: await optional('doubtful.json', DOUBTFUL),
    machine: await optional('machine.json', MACHINE),
  };
}

async function parsed<T>(path: string, schema: Pick<z.ZodType<T>, 'parse'>): Promise<T> {
  try {
    return schema.parse(await readJson(path, MOST_BYTES));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Reads the metrics of a run. Leaves out a last line without a line end, because it is still being written. */
async function readMetrics(path: string): Promise<RunRecord['metrics']> {
  if (!existsSync(path)) return [];
  try {
    const lines = (await readText(path, MOST_TEXT_BYTES)).split('\n').slice(0, -1);
    return lines.map((line) => METRIC.parse(parseJson(line)));
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): PseudolabelError {
  const reason = whyNotRead(cause).split('\n').slice(0, 6).join(' ');
  const fix = 'give a directory that this version of pseudolabel wrote, and has not been changed since';
  return new PseudolabelError('E_REPORT', `${path} cannot be reported: ${reason}`, fix, { cause });
}
