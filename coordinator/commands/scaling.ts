// `pseudolabel scaling`: measures how much faster several workers are than one, and where the rest of their time goes.
import { availableParallelism, cpus, loadavg } from 'node:os';
import { type Command, Option } from 'commander';
import type { DataOptions } from '../../src/data/options.js';
import { counted } from '../../src/format.js';
import type { Unit } from '../../src/reporting/scaling-page.js';
import { type LinkModel, type NodeCost, parseNetwork, simulate } from '../../src/scaling/simulate.js';
import { type Mode, type PhaseSummary, type Row, summarise } from '../../src/scaling/summary.js';
import { normalise, STRATEGIES } from '../../src/training/config.js';
import { PRESETS } from '../../src/training/presets/presets.js';
import { withAbsolutePaths } from '../runs/absolute-paths.js';
import { FolderLock } from '../runs/lock.js';
import { PHASES, type Phase, type WorkloadOptions } from '../scaling/bench.js';
import { scalingLines } from '../scaling/lines.js';
import {
  type Machine,
  type Measurement,
  type MeasurementOptions,
  measure,
  type PhaseReport,
  type ScalingReport,
} from '../scaling/measure.js';
import type { Terminal } from '../terminal/terminal.js';
import { addDataOptions, type Context, number, usage, whole } from './options.js';
import { dataFlags } from './saved-model.js';

interface ScalingFlags extends SizeFlags, DataOptions {
  readonly mode: Mode;
  readonly phase: Phase | 'all';
  readonly repeats: number;
  readonly steps: number;
  readonly preset: WorkloadOptions['preset'];
  readonly hidden?: number;
  readonly shards?: number;
  readonly seed?: number;
  readonly simulate?: LinkModel;
  readonly json?: string;
  readonly out?: string;
}

const HELP = `
Every number is explained in docs/scaling.md. --simulate has the results of the largest measured number of workers as one node.
For other programs on the same step (Keras, PyTorch, plain TensorFlow.js) see \`npm run bench\`.

Examples:
  $ pseudolabel scaling --workers 1,2
  $ pseudolabel scaling --workers 1,2,4,8 --phase all --repeats 9 --out runs/scaling
  $ pseudolabel scaling --workers 1,2 --mode weak --simulate nodes=64,link=10Gbps,rtt=0.2ms
  $ pseudolabel scaling --nodes 0,1,2 --workers 1 --phase all
  $ pseudolabel scaling --ranks 1,2 --strategy data`;

export function addScaling(program: Command, context: Context): void {
  const command = program
    .command('scaling')
    .description('speed-up, parallel efficiency and where the time goes, for several numbers of workers')
    .option('--workers <list>', 'numbers of workers to compare (1 and one a core)', counts)
    .option(
      '--nodes <list>',
      'numbers of nodes to compare, processes on this machine with --workers each (1)',
      nodeCounts,
    )
    .option(
      '--ranks <list>',
      'numbers of ranks to compare, processes that mpirun starts with --workers each (1)',
      counts,
    )
    .option('--hostfile <file>', "for --ranks: mpirun's list of machines (this one)")
    .option('--fast-sum', "for --ranks: sum gradients in MPI's own order")
    .addOption(
      new Option('--mode <mode>', 'strong: the same work for all; weak: as much for each worker')
        .choices(['strong', 'weak'])
        .default('strong'),
    )
    .addOption(new Option('--phase <phase>', 'what is done').choices([...PHASES, 'all']).default('finetune'))
    .option('--repeats <n>', 'rounds, of one block of steps for each number of workers', whole, 7)
    .option('--steps <n>', 'steps of a block', whole, 20)
    .addOption(new Option('--preset <name>', 'hyper-parameters').choices(PRESETS).default('best'))
    .addOption(
      new Option(
        '--strategy <name>',
        'cut a step into rows (data), into hidden units (tensor), or into hidden units where possible (auto) (auto; with --simulate: data)',
      ).choices(STRATEGIES),
    )
    .option('--hidden <n>', 'hidden units (5000)', number)
    .option('--shards <n>', 'parts that a step is cut into (as train; at least one for each worker)', number)
    .option('--seed <n>', 'seed of all random numbers (1)', number);
  addDataOptions(command)
    .option('--simulate <network>', 'predict a cluster: nodes=64,link=10Gbps,rtt=0.2ms', parseNetwork)
    .option('--json <file>', 'write the result as JSON; - for stdout')
    .option('--out <dir>', 'folder for report.html, plots, scaling.json and scaling.txt')
    .addHelpText('after', HELP)
    .action((flags: ScalingFlags) => scaling(flags, context));
}

async function scaling(flags: ScalingFlags, context: Context): Promise<void> {
  const lock = flags.out === undefined ? undefined : await FolderLock.take(flags.out);
  try {
    await measured(flags, context);
  } finally {
    await lock?.release();
  }
}

async function measured(flags: ScalingFlags, { terminal, signal }: Context): Promise<void> {
  const { strategy = flags.simulate ? 'data' : 'auto' } = flags;
  if (flags.simulate && strategy !== 'data') {
    const fix = 'leave out one of the two: the simulated clusters exchange gradients';
    throw usage(`--simulate with --strategy ${strategy}`, fix);
  }
  const sizes = sizesOf(flags);
  const workload = workloadOf({ ...flags, strategy }, sizes);
  const phases = flags.phase === 'all' ? PHASES : [flags.phase];
  const machine = machineOf();
  for (const line of openingLines(flags, sizes, machine)) terminal.note(line);
  const measurements = await measure({
    workload,
    phases,
    ...sizes,
    rounds: flags.repeats,
    signal,
    progress: (phase, round) => showProgress(terminal, phase, round, flags.repeats),
  });
  const { cores } = measurements[0]!;
  const report: ScalingReport = {
    mode: flags.mode,
    unit: unitOf(sizes),
    machine: { ...machine, cores },
    workload,
    network: flags.simulate,
    phases: measurements.map((measurement) => reportOf(measurement, flags, sizes, workload.seed)),
  };
  if (flags.out !== undefined) {
    const [{ keepScaling }, { writeReport }] = await Promise.all([
      import('../scaling/report.js'),
      import('../report.js'),
    ]);
    await keepScaling(flags.out, report);
    terminal.note(`report: ${await writeReport(flags.out)}`);
  }
  await terminal.deliver((colours) => scalingLines(report, colours), report, flags.json);
}

/** Returns the work that is measured. Throws E_CONFIG for what is out of the limits of a run. */
function workloadOf(
  { mode, preset, strategy, steps, ...flags }: ScalingFlags & Pick<WorkloadOptions, 'strategy'>,
  sizes: Sizes,
): WorkloadOptions {
  const most = totals(sizes).at(-1)!;
  const { fastSum } = flags;
  const given = { hidden: flags.hidden, seed: flags.seed, shards: flags.shards, workers: most, strategy, fastSum };
  const { hidden, seed, ...config } = normalise(given);
  // A worker without a shard would measure nothing.
  const shards = flags.shards ?? Math.max(config.shards, most);
  if (shards < most) {
    const fix = `give --shards ${most} or more, or leave it out`;
    throw usage(`--shards ${shards} for ${counted(most, 'worker')}`, fix);
  }
  const largest = sizes.processes?.counts.at(-1) ?? most;
  // Absolute paths are valid in the processes that measure, too.
  const { data, ...reading } = dataFlags(normalise(withAbsolutePaths(dataFlags(flags))));
  const cut = { mode, preset, strategy, hidden, shards, seed, data, steps, fastSum: fastSum ?? false, largest };
  return { ...cut, ...(Object.keys(reading).length > 0 && { reading }) };
}

function reportOf(
  measurement: Measurement,
  { mode, simulate: network }: ScalingFlags,
  sizes: Sizes,
  seed: number,
): PhaseReport {
  const { cores } = measurement;
  const summary = summarise(measurement.rounds, totals(sizes), { mode, cores, seed });
  const prediction = network && simulate(nodeCost(measurement, summary, sizes), network, mode);
  return { ...measurement, ...summary, prediction };
}

/**
 * Returns the cost of a step on one simulated node. It is measured in one process, with the most workers that have a
 * core each.
 */
function nodeCost({ traffic, cores }: Measurement, { rows }: PhaseSummary, { processes }: Sizes): NodeCost {
  const { split, workers } = (processes ? undefined : rows.findLast((row: Row) => row.workers <= cores)) ?? rows[0]!;
  const { sum, tasks, answers } = traffic[workers]!;
  const divided = split.input + split.forward + split.backward + split.predict;
  const repeated = split.update + split.wait + split.dispatch + split.idle;
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

function openingLines({ mode, repeats }: ScalingFlags, sizes: Sizes, { cores, load }: Machine): string[] {
  const { processes } = sizes;
  const most = totals(sizes).at(-1)!;
  const where = processes?.hostfile === undefined ? counted(cores, 'core') : `the machines of ${processes.hostfile}`;
  const what = `${mode} scaling, ${whoIsCompared(sizes)} on ${where}, ${counted(repeats, 'round')}`;
  // The load counts threads that want to run. Those beyond the spare cores take a core from some worker.
  const spare = Math.max(0, cores - most);
  const busy = load - spare < 1 ? '' : `; the machine is busy (load ${load.toFixed(1)}): expect noise`;
  const few = `warning: ${counted(most, 'worker')} in all share ${counted(cores, 'core')}: nothing can be concluded from them`;
  return [what + busy, ...(processes && processes.hostfile === undefined && most > cores ? [few] : [])];
}

function showProgress(terminal: Terminal, phase: Phase, round: number, rounds: number): void {
  const line = round < 0 ? `  ${phase}: warm-up` : `  ${phase}: round ${round + 1} of ${rounds}`;
  terminal.doing(`in ${line.trim()}`);
  if (terminal.isLive) terminal.draw(line);
  else if (round <= 0) terminal.note(line);
}

/** Reads a list such as '1,2,4'. */
const counts = (text: string): number[] => ascending(text.split(',').map(whole));

/** Reads a list such as '0,1,2': numbers of nodes besides the coordinator. */
const nodeCounts = (text: string): number[] => text.split(',').map((each) => (each.trim() === '0' ? 0 : whole(each)));

export interface SizeFlags {
  /** If undefined: one worker, and one for each core. With nodes or ranks: one. */
  readonly workers?: readonly number[];
  readonly nodes?: readonly number[];
  readonly ranks?: readonly number[];
  readonly hostfile?: string;
  readonly fastSum?: true;
  readonly strategy?: (typeof STRATEGIES)[number];
}

/** What measure() compares. */
export type Sizes = Pick<MeasurementOptions, 'workers' | 'processes'>;

/** Returns the sizes that the flags ask for. Throws E_USAGE. */
export function sizesOf({ workers, nodes, ranks, hostfile, fastSum, strategy }: SizeFlags): Sizes {
  if (nodes && ranks) throw usage('--nodes with --ranks', 'measure one after the other');
  if (fastSum && strategy === 'tensor')
    throw usage('--fast-sum with --strategy tensor', 'leave it out: tensor-parallel steps sum no gradients');
  const by = nodes ? 'nodes' : 'ranks';
  const counts = nodes?.map((joining) => joining + 1) ?? ranks;
  // One worker or one process is always measured, because the others are compared with it.
  if (!counts) return { workers: ascending([1, ...(workers ?? [availableParallelism()])]), processes: undefined };
  if (workers !== undefined && workers.length > 1) {
    const fix = `with --${by}, give one number: the workers of each process`;
    throw usage(`--workers ${workers.join(',')} with --${by}`, fix);
  }
  return { workers: workers ?? [1], processes: { by, counts: ascending([1, ...counts]), hostfile } };
}

/** Returns the total number of workers of each candidate. */
export const totals = ({ workers, processes }: Sizes): readonly number[] =>
  processes ? processes.counts.map((count) => count * workers[0]!) : workers;

export function unitOf({ processes }: Sizes): Unit {
  if (!processes) return 'workers';
  return processes.by === 'ranks' ? 'ranks' : 'processes';
}

export function whoIsCompared({ workers, processes }: Sizes): string {
  if (!processes) return `${workers.join(', ')} workers`;
  const { by, counts } = processes;
  const each = `each of ${counted(workers[0]!, 'worker')},`;
  if (by === 'ranks') return `${counts.join(', ')} ranks, ${each}`;
  return `${counts.map((count) => count - 1).join(', ')} nodes on loopback beside the coordinator, ${each}`;
}

export const ascending = (numbers: readonly number[]): number[] => [...new Set(numbers)].sort((a, b) => a - b);
