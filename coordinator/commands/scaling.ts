// Owns `pseudolabel scaling`: how much faster several workers are than one, and where the rest of their time goes.
import { availableParallelism, cpus, loadavg } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { normalise, PRESETS } from '../../src/config.js';
import { counted } from '../../src/format.js';
import { type Network, type NodeCost, parseNetwork, simulate } from '../../src/scaling/simulate.js';
import { type Mode, type PhaseSummary, type Row, summarise } from '../../src/scaling/summary.js';
import { type Measurement, measure } from '../scaling/measure.js';
import type { Machine, PhaseReport, ScalingReport } from '../scaling/report.js';
import { PHASES, type Phase, type WorkloadOptions } from '../scaling/workload.js';
import { keepScaling } from '../scaling/written.js';
import { scalingLines } from '../terminal/scaling.js';
import type { Terminal } from '../terminal/terminal.js';
import { type Context, number } from './options.js';

interface ScalingFlags {
  readonly workers: readonly number[];
  readonly mode: Mode;
  readonly phase: Phase | 'all';
  readonly repeats: number;
  readonly steps: number;
  readonly preset: WorkloadOptions['preset'];
  readonly hidden?: number;
  readonly seed?: number;
  readonly data?: string;
  readonly simulate?: Network;
  readonly json?: string;
  readonly out?: string;
}

const HELP = `
Every number is explained in docs/scaling.md. --simulate has the results of the largest measured number of workers as one node.
For other programs on the same step (Keras, PyTorch, plain TensorFlow.js) see \`npm run bench\`.

Examples:
  $ pseudolabel scaling --workers 1,2
  $ pseudolabel scaling --workers 1,2,4,8 --phase all --repeats 9 --out runs/scaling
  $ pseudolabel scaling --workers 1,2 --mode weak --simulate nodes=64,link=10Gbps,rtt=0.2ms`;

export function addScaling(program: Command, context: Context): void {
  program
    .command('scaling')
    .description('speed-up, parallel efficiency and where the time goes, for several numbers of workers')
    .option('--workers <list>', 'numbers of workers to compare (1 and one a core)', counts, defaultCounts())
    .addOption(
      new Option('--mode <mode>', 'strong: the same work for all; weak: as much for each worker')
        .choices(['strong', 'weak'])
        .default('strong'),
    )
    .addOption(new Option('--phase <phase>', 'what is done').choices([...PHASES, 'all']).default('finetune'))
    .option('--repeats <n>', 'rounds, of one block of steps for each number of workers', count, 7)
    .option('--steps <n>', 'steps of a block', count, 20)
    .addOption(new Option('--preset <name>', 'hyper-parameters').choices(PRESETS).default('best'))
    .option('--hidden <n>', 'hidden units (5000)', number)
    .option('--seed <n>', 'seed of all random numbers (1)', number)
    .option('--data <dir>', 'folder with the four IDX files of a data set (MNIST)')
    .option('--simulate <network>', 'predict a cluster: nodes=64,link=10Gbps,rtt=0.2ms', parseNetwork)
    .option('--json <file>', 'write the result as JSON; - for stdout')
    .option('--out <dir>', 'folder for report.html, plots, scaling.json and scaling.txt')
    .addHelpText('after', HELP)
    .action((flags: ScalingFlags) => scaling(flags, context));
}

async function scaling(flags: ScalingFlags, { terminal, signal }: Context): Promise<void> {
  const workload = workloadOf(flags);
  const phases = flags.phase === 'all' ? PHASES : [flags.phase];
  const machine = machineOf();
  terminal.note(openingLine(flags, machine));
  const measurements = await measure({
    ...{ workload, phases, workers: flags.workers, rounds: flags.repeats, signal },
    progress: (phase, round) => showProgress(terminal, phase, round, flags.repeats),
  });
  const report: ScalingReport = {
    ...{ mode: flags.mode, machine, workload, network: flags.simulate },
    phases: measurements.map((measurement) => reportOf(measurement, flags, machine, workload.seed)),
  };
  if (flags.out !== undefined) {
    await keepScaling(flags.out, report);
    const { writeReport } = await import('../report.js');
    terminal.note(`report: ${await writeReport(flags.out)}`);
  }
  await terminal.deliver((colours) => scalingLines(report, colours), report, flags.json);
}

/** Throws E_CONFIG for what is out of the limits of a run. */
function workloadOf({ mode, preset, steps, data, workers, ...flags }: ScalingFlags): WorkloadOptions {
  const largest = workers.at(-1)!;
  const { hidden, seed } = normalise({ hidden: flags.hidden, seed: flags.seed, workers: largest });
  return { mode, preset, hidden, seed, data, steps, largest };
}

function reportOf(measurement: Measurement, flags: ScalingFlags, { cores }: Machine, seed: number): PhaseReport {
  const { mode, workers, simulate: network } = flags;
  const summary = summarise(measurement.rounds, workers, { mode, cores, seed });
  const prediction = network && simulate(nodeCost(measurement, summary, cores), network, mode);
  return { ...measurement, ...summary, prediction };
}

/** A node: the largest number of workers that this machine has cores for. */
function nodeCost({ traffic }: Measurement, { rows }: PhaseSummary, cores: number): NodeCost {
  const { split, workers } = rows.findLast((row: Row) => row.workers <= cores) ?? rows[0]!;
  const { sum, tasks, answers } = traffic[workers]!;
  const divided = split.input + split.forward + split.backward + split.predict;
  const repeated = split.update + split.dispatch + split.idle;
  return { divided, repeated, sumBytes: sum, taskBytes: tasks, answerBytes: answers };
}

function machineOf(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    load: loadavg()[0]!,
    node: process.version,
  };
}

function openingLine({ workers, mode, repeats }: ScalingFlags, { cores, load }: Machine): string {
  const what = `${mode} scaling, ${workers.join(', ')} workers on ${counted(cores, 'core')}, ${counted(repeats, 'round')}`;
  // Linux counts who wants to run: those for whom we leave no core take one from some worker.
  const spare = Math.max(0, cores - workers.at(-1)!);
  return load - spare < 1 ? what : `${what}; the machine is busy (load ${load.toFixed(1)}): expect noise`;
}

function showProgress(terminal: Terminal, phase: Phase, round: number, rounds: number): void {
  const line = round < 0 ? `  ${phase}: warm-up` : `  ${phase}: round ${round + 1} of ${rounds}`;
  if (terminal.isLive) terminal.draw(line);
  else if (round <= 0) terminal.note(line);
}

/** '1,2,4' as ascending numbers. One worker is always among them: it is what the others are compared with. */
function counts(text: string): number[] {
  const numbers = text.split(',').map(count);
  return [...new Set([1, ...numbers])].sort((a, b) => a - b);
}

const defaultCounts = (): number[] => counts(`1,${availableParallelism()}`);

function count(text: string): number {
  const value = number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return value;
}
