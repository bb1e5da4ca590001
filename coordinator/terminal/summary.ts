// Makes the lines that are printed about a run before it begins and when it has ended.
import { join } from 'node:path';
import { type Dataset, knownCount } from '../../src/data/dataset.js';
import { pixelNotes } from '../../src/data/summary.js';
import { accuracyText, counted, duration, percent, whole } from '../../src/format.js';
import { choiceText } from '../../src/methods/class-balance-text.js';
import { rampLine } from '../../src/training/alpha-ramp.js';
import type { RunConfig } from '../../src/training/config.js';
import { rowName } from '../../src/training/scenario.js';
import { partsOf } from '../../src/training/strategy-choice.js';
import type { Row } from '../runs/reproduction.js';
import type { ResolvedRun } from '../runs/resolved-run.js';
import type { RunResult } from '../runs/result.js';
import { type Column, tableLines } from './table.js';
import type { Colours } from './terminal.js';

export function sessionLine({ dataset, config, task }: ResolvedRun): string {
  const { validation, workers, shards } = config;
  const images = `${whole(dataset.train.count)} images, ${whole(task.labelled)} of them labelled (${labelsText(config)})`;
  const held = validation > 0 ? `, ${whole(validation)} held out` : '';
  return `${dataset.name}: ${images}${held}; ${counted(workers, 'worker')}, ${counted(shards, 'shard')}`;
}

/** Returns a line about the stages of a run that has several. The time left that a run shows is of one of them. */
export function stagesLine({ stages, maxSteps }: Pick<ResolvedRun, 'stages' | 'maxSteps'>): string | undefined {
  if (stages.length === 1) return undefined;
  const parts = stages.map(({ name, steps }) => `${name} ${whole(Math.min(steps, maxSteps))}`);
  return `${whole(stages.length)} stages, and their steps: ${parts.join(', ')}`;
}

/** Says whether labels are hidden from the run. A user with few labels would not want that. */
const labelsText = ({ labelsPerClass }: RunConfig): string =>
  typeof labelsPerClass === 'number'
    ? `${labelsPerClass} of each class; the other labels are hidden: a benchmark`
    : 'all labels that there are';

/** Returns lines about what a user may not expect of the data set, and has to know. */
export function dataLines({ train, test, classNames, notes = [] }: Dataset): string[] {
  const unknown = train.count - knownCount(train.labels);
  const lines = [...notes, ...pixelNotes(train)];
  if (unknown > 0)
    lines.push(`nobody knows the labels of ${whole(unknown)} of the ${whole(train.count)} training images`);
  if (!test) return [...lines, 'there are no test images with labels: no test accuracy is measured'];
  const tested = new Set(test.labels);
  const untested = classNames.filter((_, each) => !tested.has(each));
  if (untested.length === 0) return lines;
  const [names, have] = [untested.slice(0, 5).join(', '), untested.length > 1 ? 'have' : 'has'];
  const more = untested.length > 5 ? ` and ${untested.length - 5} more` : '';
  const hint = 'if a label stands for images whose class nobody knows, write 255 (-1) in its place';
  lines.push(
    `${untested.length > 1 ? 'classes' : 'class'} ${names}${more} ${have} training labels and no test image: ${hint}`,
  );
  return lines;
}

/**
 * Returns the lines about a run that has ended. wholeSeconds: seconds since the command began; undefined if the run was
 * finished before.
 */
export function resultLines(result: RunResult, directory: string, { bold }: Colours, wholeSeconds?: number): string[] {
  const { validationAccuracy, testAccuracy, lostWorkers } = result;
  const run = `${rowName(result)}, preset ${result.preset}, seed ${result.seed}, ${splitName(result)}`;
  const title = `${run}`;
  const { evaluation: _, ...training } = result.secondsByPhase;
  const phases = Object.entries(training).map(([phase, seconds]) => `${phase} ${duration(seconds)}`);
  const speed = `${counted(result.steps, 'step')} in ${duration(result.seconds)}, ${whole(result.imagesPerSecond)} images/s`;
  const lines: [name: string, value: string | undefined][] = [
    ['test accuracy', testAccuracy === undefined ? undefined : bold(percent(testAccuracy))],
    ['validation accuracy', validationAccuracy === undefined ? undefined : bold(percent(validationAccuracy))],
    ['training', phases.length > 1 ? `${speed} (${phases.join(', ')})` : speed],
    ['time', wholeSeconds === undefined ? undefined : timeText(wholeSeconds, result.seconds)],
    ['pseudo-labels', result.ramp && rampLine(result.ramp)],
    ['class shares', result.classShares && choiceText(result.classShares, result.classNames)],
    ['lost workers', lostWorkers === 0 ? undefined : `${lostWorkers}, their work was done again`],
    ['weights', `sha256 ${result.weightsSha256}`],
    ['run directory', directory],
    ['report', join(directory, 'report.html')],
  ];
  return [title, ...lines.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(20)} ${value}`]))];
}

/**
 * Returns the time of a run and its part of training. A resumed run counts its earlier starts as training, so the
 * training may take longer than the command.
 */
const timeText = (whole: number, training: number): string =>
  whole < training
    ? `${duration(whole)} since it was resumed`
    : `${duration(whole)}, ${duration(training)} of them training; the rest is to start, to read images, to look at pseudo-labels, to test and to write`;

/** Returns a line if some workers have nothing to do in the steps of the stages; otherwise undefined. */
export function idleLine({ config, stages }: ResolvedRun, workers: number): string | undefined {
  const parts = Math.max(...stages.map((stage) => partsOf(config, stage)));
  if (workers <= parts) return undefined;
  const who = `${workers - parts} of ${counted(workers, 'worker')}`;
  const fix = config.shards > parts ? 'a wider network (--hidden) has more' : `--shards ${workers} gives work to all`;
  return `${who} will have nothing to do in a step, which has ${counted(parts, 'part')}: ${fix}, and other weights`;
}

const splitName = ({ split, splitSeed }: RunResult): string =>
  split === 'first' ? 'first split' : `random split ${splitSeed}`;

function rowColumns(isCompared: boolean): Column[] {
  const numbers = [...(isCompared ? ['paper %', 'report %'] : []), 'ours %', 'steps', 'seconds', 'images/s'];
  return [{ title: 'row', align: 'left' }, ...numbers.map((title) => ({ title, align: 'right' as const }))];
}

/**
 * Returns the report's table, with a mark on rows that are better than it. The report's figures are left out if they
 * cannot be compared.
 */
export function rowLines(rows: readonly Row[], { bold, green }: Colours): string[] {
  const isCompared = rows.some(({ report }) => report !== undefined);
  const [titles, rule, ...lines] = tableLines(
    rowColumns(isCompared),
    rows.map((row) => [
      row.name,
      ...(isCompared ? [row.paper, row.report].map((value) => value?.toFixed(2) ?? '-') : []),
      accuracyText(row) ?? '-',
      ...[whole(row.steps), row.seconds.toFixed(1), whole(row.imagesPerSecond)],
    ]),
  );
  const marked = rows.filter(({ aboveReport }) => aboveReport).length;
  return [
    bold(titles!),
    rule!,
    ...lines.map((line, r) => (rows[r]!.aboveReport ? green(line) : line)),
    ...(isCompared ? [`${marked} of ${rows.length} rows above the report (✓)`] : []),
  ];
}
