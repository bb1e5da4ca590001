// Owns what is said of a run before it begins and when it has ended.
import { join } from 'node:path';
import type { RunConfig } from '../../src/config.js';
import type { Dataset } from '../../src/data/dataset.js';
import { isRounded } from '../../src/engine/model.js';
import { counted, duration, percent, whole } from '../../src/format.js';
import { ROW_NAMES } from '../../src/presets/scenario.js';
import type { Stage } from '../../src/stage.js';
import { partsOf } from '../../src/strategy.js';
import type { Row } from '../reproduction.js';
import type { RunResult } from '../result.js';
import { type Column, tableLines } from './table.js';
import type { Colours } from './terminal.js';

export function sessionLine(dataset: Dataset, config: RunConfig): string {
  const { labelsPerClass, validation, workers, shards } = config;
  const images = `${whole(dataset.train.count)} images, ${whole(labelsPerClass * dataset.classes)} of them labelled`;
  const held = validation > 0 ? `, ${whole(validation)} held out` : '';
  return `${dataset.name}: ${images}${held}; ${counted(workers, 'worker')}, ${counted(shards, 'shard')}${productsOf(config)}`;
}

export function resultLines(result: RunResult, directory: string, { bold }: Colours): string[] {
  const { validationAccuracy, testAccuracy, lostWorkers } = result;
  const run = `${ROW_NAMES[result.scenario]}, preset ${result.preset}, seed ${result.seed}, ${splitName(result)}`;
  const title = `${run}${productsOf(result)}`;
  const phases = Object.entries(result.secondsByPhase).map(([phase, seconds]) => `${phase} ${duration(seconds)}`);
  const speed = `${counted(result.steps, 'step')} in ${duration(result.seconds)}, ${whole(result.imagesPerSecond)} images/s`;
  const lines: [name: string, value: string | undefined][] = [
    ['test accuracy', testAccuracy === undefined ? undefined : bold(percent(testAccuracy))],
    ['validation accuracy', validationAccuracy === undefined ? undefined : bold(percent(validationAccuracy))],
    ['training', `${speed} (${phases.join(', ')})`],
    ['lost workers', lostWorkers === 0 ? undefined : `${lostWorkers}, their work was done again`],
    ['weights', `sha256 ${result.weightsSha256}`],
    ['run directory', directory],
    ['report', join(directory, 'report.html')],
  ];
  return [title, ...lines.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(20)} ${value}`]))];
}

/** What is said where some workers will have nothing to do in the steps of the stages; undefined where all have. */
export function idleLine(config: RunConfig, stages: readonly Stage[], workers: number): string | undefined {
  const parts = Math.max(...stages.map(({ model }) => partsOf(config, model)));
  if (workers <= parts) return undefined;
  const who = `${workers - parts} of ${counted(workers, 'worker')}`;
  const fix = config.shards > parts ? 'a wider network (--hidden) has more' : `--shards ${workers} gives work to all`;
  return `${who} will have nothing to do in a step, which has ${counted(parts, 'part')}: ${fix}, and other weights`;
}

/** Of all but floats. Results that do not say are of floats. */
const productsOf = (of: Pick<RunConfig, 'precision'>): string => (isRounded(of) ? `, products of ${of.precision}` : '');

const splitName = ({ split, splitSeed }: RunResult): string =>
  split === 'first' ? 'first split' : `random split ${splitSeed}`;

const ROW_COLUMNS: readonly Column[] = [
  { title: 'row', align: 'left' },
  { title: 'paper %', align: 'right' },
  { title: 'report %', align: 'right' },
  { title: 'ours %', align: 'right' },
  { title: 'steps', align: 'right' },
  { title: 'seconds', align: 'right' },
  { title: 'images/s', align: 'right' },
];

/** The report's table, with a mark where a row is above it. */
export function rowLines(rows: readonly Row[], { bold, green }: Colours): string[] {
  const [titles, rule, ...lines] = tableLines(
    ROW_COLUMNS,
    rows.map(({ name, paper, report, accuracy, deviation, aboveReport, steps, seconds, imagesPerSecond }) => [
      name,
      ...[paper, report].map((value) => value.toFixed(2)),
      `${aboveReport ? '✓ ' : ''}${accuracy.toFixed(2)}${deviation === undefined ? '' : ` ± ${deviation.toFixed(2)}`}`,
      ...[whole(steps), seconds.toFixed(1), whole(imagesPerSecond)],
    ]),
  );
  const [run] = rows[0]?.runs ?? [];
  const marked = rows.filter(({ aboveReport }) => aboveReport).length;
  return [
    bold(titles!),
    rule!,
    ...lines.map((line, r) => (rows[r]!.aboveReport ? green(line) : line)),
    `${marked} of ${rows.length} rows above the report (✓)${run ? productsOf(run) : ''}`,
  ];
}
