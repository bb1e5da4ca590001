// Makes the lines of a scaling report: the tables of each phase, and the conclusions in words.
import { counted, percent, whole } from '../../src/format.js';
import type { Unit } from '../../src/reporting/scaling-page.js';
import type { Estimate } from '../../src/scaling/bootstrap.js';
import type { AmdahlFit, Undetermined, UniversalFit } from '../../src/scaling/laws.js';
import {
  ASSUMPTIONS,
  COLLECTIVES,
  type LinkModel,
  millisecondsText,
  type Prediction,
  speedUpText,
} from '../../src/scaling/simulate.js';
import {
  BUSY_LIMIT,
  type Doubt,
  FEWEST_ROUNDS,
  NOISE_LIMIT,
  type PhaseSummary,
  type Row,
} from '../../src/scaling/summary.js';
import { SHARES, type Share } from '../../src/scaling/time-split.js';
import { type Column, tableLines } from '../terminal/table.js';
import { type Colours, PLAIN } from '../terminal/terminal.js';
import type { PhaseReport, ScalingReport } from './measure.js';

const columns = (...titles: string[]): Column[] => titles.map((title) => ({ title, align: 'right' }));

/** Returns a value and its 95 % interval, such as '1.87 [1.80, 1.93]'. */
const interval = ({ value, low, high }: Estimate, digits: number): string =>
  low === undefined || high === undefined || low === high
    ? value.toFixed(digits)
    : `${value.toFixed(digits)} [${low.toFixed(digits)}, ${high.toFixed(digits)}]`;

export function scalingLines(report: ScalingReport, colours: Pick<Colours, 'bold' | 'yellow'> = PLAIN): string[] {
  const { machine, workload } = report;
  const place = `${counted(machine.cores, 'core')} of ${machine.processor}, Node ${machine.node}`;
  return [
    `${place}; preset ${workload.preset}, ${whole(workload.hidden)} hidden units, strategy ${workload.strategy}`,
    ...report.phases.flatMap((phase) => ['', ...phaseLines(phase, report, colours)]),
    ...(report.network ? ['', 'assumed in the simulation:', ...ASSUMPTIONS.map((each) => `  - ${each}`)] : []),
  ];
}

function phaseLines(phase: PhaseReport, report: ScalingReport, colours: Pick<Colours, 'bold' | 'yellow'>): string[] {
  const { rows, rounds, prediction } = phase;
  const steps = phase.phase === 'label' ? 'one pass over the images' : counted(report.workload.steps, 'step');
  const title = `${phase.phase}, ${report.mode} scaling: medians of ${counted(rounds.length, 'round')} of ${steps}, with 95 % intervals`;
  return [
    colours.bold(title),
    ...speedLines(phase, report),
    '',
    "where a worker's time goes, in ms of a step",
    ...splitLines(rows, report),
    ...(prediction ? ['', ...simulationLines(prediction, phase, report)] : []),
    '',
    ...phaseWords(phase, report, colours),
  ];
}

/** Returns what follows from the tables of a phase, in sentences. The conclusion comes last. */
export function phaseWords(
  phase: PhaseReport,
  { machine, unit }: ScalingReport,
  colours: Pick<Colours, 'bold' | 'yellow'> = PLAIN,
): string[] {
  const compared = { unit, each: phase.rows[0]!.workers, cores: machine.cores };
  return [...fitLines(phase), ...phase.rows.flatMap((row) => conclusionLines(row, compared, colours))];
}

/** Returns the bytes of a step: those between processes if there are several, or else those through shared memory. */
export const bytesMoved = ({ traffic, rows }: PhaseReport, { workers, wireBytes }: Row): number =>
  rows.some((row) => row.wireBytes > 0) ? wireBytes : traffic[workers]!.moved;

function speedLines(phase: PhaseReport, { unit }: ScalingReport): string[] {
  const { rows } = phase;
  const titles = columns(unit, 'ms a step', 'images/s', 'speed-up', 'efficiency', 'serial share', 'MB moved');
  const lines = rows.flatMap((row) => {
    const { workers, serialFraction, oneWorkerOfThreads: one } = row;
    const own = [
      String(workers / rows[0]!.workers),
      interval(row.millisecondsPerStep, 1),
      whole(row.imagesPerSecond.value),
      interval(row.speedUp, 2),
      percent(row.efficiency.value, 0),
      serialFraction === undefined ? '-' : percent(serialFraction, 1),
      (bytesMoved(phase, row) / 1e6).toFixed(1),
    ];
    if (!one) return [own];
    return [own, [`1 of ${workers} threads`, interval(one.millisecondsPerStep, 1), '', interval(one.speedUp, 2)]];
  });
  return tableLines(titles, lines);
}

function splitLines(rows: readonly Row[], { unit }: ScalingReport): string[] {
  const shown = SHARES.filter((share) => rows.some(({ split }) => split[share] > 0));
  const lines = rows.map(({ workers, split, splitError }) => [
    String(workers / rows[0]!.workers),
    ...shown.map((share) => split[share].toFixed(2)),
    percent(splitError, 1),
  ]);
  return tableLines(columns(unit, ...shown, 'sum is off by'), lines);
}

export const linkOf = ({ bitsPerSecond, rttMilliseconds }: LinkModel): string =>
  `links of ${bitsPerSecond / 1e9} Gbit/s with a round trip of ${rttMilliseconds} ms`;

function simulationLines(prediction: readonly Prediction[], phase: PhaseReport, { network }: ScalingReport): string[] {
  const titles = columns('nodes', ...COLLECTIVES.flatMap((name) => [`${name}: ms a step`, 'speed-up', 'efficiency']));
  const lines = prediction.map((of) => [
    String(of.nodes),
    ...COLLECTIVES.flatMap((name) => [
      millisecondsText(of, name),
      speedUpText(of, name),
      percent(of.efficiency[name], 0),
    ]),
  ]);
  return [
    `simulated, not measured: nodes like this machine, ${linkOf(network!)}`,
    ...tableLines(titles, lines),
    ...predictionLines(prediction, phase),
  ];
}

const NAMES: Record<Share, string> = {
  input: 'slower input',
  forward: 'slower forward passes',
  wait: 'waiting for what others send',
  backward: 'slower backward passes',
  update: 'reduce + update',
  predict: 'slower predictions',
  serialise: 'copying what is sent and received',
  send: 'sending',
  dispatch: 'dispatch',
  idle: 'idle behind the slowest worker',
};

const ALONE: Record<Unit, string> = {
  workers: 'with --workers 1',
  processes: 'with no nodes',
  ranks: 'without mpirun',
};

/** The most parts of the loss that are named, and the smallest part that is named. */
const NAMED = 3;
const SMALLEST_NAMED = 0.005;

/** The unit that is compared: workers of one process (each: 1), or processes or ranks with `each` workers. */
interface Compared {
  readonly unit: Unit;
  readonly each: number;
  readonly cores: number;
}

/** Returns the conclusion of a row, or why there is none. The first row gets no lines, because its numbers say all. */
export function conclusionLines(
  row: Row,
  compared: Compared,
  { bold, yellow }: Pick<Colours, 'bold' | 'yellow'>,
): string[] {
  const { unit, each, cores } = compared;
  const { workers, speedUp, efficiency, doubts, oneWorkerOfThreads: one } = row;
  if (workers === each) return [];
  const who =
    unit === 'workers' ? counted(workers, 'worker') : `${workers / each} ${unit} of ${counted(each, 'worker')}`;
  const measured = `${speedUp.value.toFixed(2)}x as fast as one, an efficiency of ${percent(efficiency.value, 0)}`;
  if (doubts.length > 0) {
    const reasons = doubts.map((doubt) => reasonOf(doubt, row, cores));
    const slower = speedUp.value < 1 ? [yellow(`warning: as measured, ${who} are slower than one`)] : [];
    return [
      yellow(`${who}: no conclusion: ${reasons.join('; ')}`),
      `  as measured: ${measured}; ${lossOf(row)}`,
      ...slower,
    ];
  }
  const warning = speedUp.value < 1 ? [yellow(`warning: ${who} are slower than one: train ${ALONE[unit]}`)] : [];
  const ratio = one && speedUp.value / one.speedUp.value;
  return [
    bold(`${who}: ${measured}; ${lossOf(row)}`),
    ...(ratio === undefined ? [] : [`  ${ratio.toFixed(2)} times the speed of one worker of ${workers} threads`]),
    ...warning,
  ];
}

function lossOf({ loss, efficiency }: Row): string {
  const total = 1 - efficiency.value;
  const parts = SHARES.map((share) => ({ share, part: loss[share] })).filter(
    ({ part }) => Math.abs(part) >= SMALLEST_NAMED,
  );
  const list = (some: typeof parts) =>
    some
      .sort((a, b) => Math.abs(b.part) - Math.abs(a.part))
      .slice(0, NAMED)
      .map(({ share, part }) => `${percent(Math.abs(part), 0)} ${NAMES[share]}`)
      .join(', ');
  const lost = list(parts.filter(({ part }) => part > 0));
  const cheaper = parts.filter(({ part }) => part < 0).reduce((sum, { part }) => sum - part, 0);
  if (lost === '') return 'nothing is lost';
  const gain = cheaper > 0 ? `, less ${percent(cheaper, 0)} that other parts got cheaper` : '';
  return `the loss of ${percent(total, 0)}: ${lost}${gain}`;
}

function reasonOf(doubt: Doubt, { speedUp, splitError, withoutCore }: Row, cores: number): string {
  switch (doubt) {
    case 'more workers than cores':
      return `the machine has only ${counted(cores, 'core')}, which they have to share`;
    case 'too few rounds':
      return `it takes --repeats ${FEWEST_ROUNDS} or more to see the noise`;
    case 'too noisy': {
      const range = `between ${speedUp.low!.toFixed(2)} and ${speedUp.high!.toFixed(2)}`;
      return `the speed-up is ${range}, more than ±${percent(NOISE_LIMIT, 0)}: quieten the machine, or take more --repeats`;
    }
    case 'too busy':
      return `other programs had the workers' cores for ${percent(withoutCore, 0)} of the time (at most ${percent(BUSY_LIMIT, 0)}): stop them`;
    case 'parts do not add up':
      return `the parts of the time miss its whole by ${percent(splitError, 1)}`;
  }
}

export function fitLines({ amdahl, universal }: PhaseSummary): string[] {
  if (!amdahl || !universal) return [];
  if (amdahl.kind === 'undetermined' && universal.kind === 'undetermined') return [neither(amdahl, universal)];
  return [amdahlLine(amdahl), universalLine(universal)];
}

const rowsThere = (count: number): string => `there ${count === 1 ? 'is' : 'are'} ${count}`;

const undetermined = (law: string, { needs, has }: Undetermined): string =>
  `${law}: not determined: it takes ${needs} conclusive rows of several workers, ${rowsThere(has)}`;

const neither = (amdahl: Undetermined, universal: Undetermined): string =>
  `Amdahl's law and the universal one are not fitted: they take ${amdahl.needs} and ${universal.needs} conclusive rows of several workers, ${rowsThere(amdahl.has)}`;

function amdahlLine(fit: AmdahlFit | Undetermined): string {
  if (fit.kind === 'undetermined') return undetermined("Amdahl's law", fit);
  const { sigma, limit, error } = fit;
  const most = limit === undefined ? 'no limit' : `at most ${limit.toFixed(1)}x with any number of workers`;
  return `Amdahl's law: serial share ${percent(sigma, 1)}, ${most}; off by ${percent(error, 1)}`;
}

function universalLine(fit: UniversalFit | Undetermined): string {
  if (fit.kind === 'undetermined') return undetermined('universal scalability law', fit);
  const { sigma, kappa, bestWorkers, error } = fit;
  const best = bestWorkers === undefined ? 'no best number of workers' : `best with ${counted(bestWorkers, 'worker')}`;
  const shares = `contention ${percent(sigma, 1)}, coherency ${percent(kappa, 2)}`;
  return `universal scalability law: ${shares}, ${best}; off by ${percent(error, 1)}`;
}

/** Returns the best of the simulated sizes for each collective. */
function predictionLines(prediction: readonly Prediction[], { rows }: PhaseSummary): string[] {
  const lines = COLLECTIVES.map((name) => {
    const best = prediction.reduce((a, b) => (b.speedUp[name] > a.speedUp[name] ? b : a));
    return best.nodes === 1
      ? `${name}: one node is the fastest`
      : `${name}: best with ${counted(best.nodes, 'node')}, ${best.speedUp[name].toFixed(2)}x (${percent(best.efficiency[name], 0)})`;
  });
  const isDoubtful = rows.some(({ doubts }) => doubts.length > 0);
  return isDoubtful ? [...lines, 'it starts from measurements that gave no conclusion: see above'] : lines;
}
