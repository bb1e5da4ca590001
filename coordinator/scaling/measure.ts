// Measures all candidates side by side, one block each in turn, round after round, so that what disturbs the machine
// for a while disturbs all of them.
import { join } from 'node:path';
import { withTemporaryFolder } from '../../src/files/remove.js';
import { makeFolder } from '../../src/files/write.js';
import type { Unit } from '../../src/reporting/scaling-page.js';
import type { Network, Prediction } from '../../src/scaling/simulate.js';
import type { Block, Mode, PhaseSummary, Round } from '../../src/scaling/summary.js';
import type { Traffic } from '../../src/scaling/traffic.js';
import type { Phase, Setup, WorkloadOptions } from './bench.js';
import { ChildProcess, type CommandLine, entryCommand } from './child-process.js';
import type { Answer, Question } from './messages.js';
import { checkMpi, type JobPlace, mpirunCommand } from './mpirun.js';

export interface Measurement {
  readonly phase: Phase;
  readonly rounds: readonly Round[];
  /** The traffic of a step, by the number of workers. */
  readonly traffic: Readonly<Record<number, Traffic>>;
  /** Of all machines that a candidate was on. */
  readonly cores: number;
}

/** Candidates of several processes with equal numbers of workers. */
export interface Processes {
  /** Nodes that join a coordinator by loopback; or ranks of a job of MPI. */
  readonly by: 'nodes' | 'ranks';
  /** Ascending, the first of them 1. */
  readonly counts: readonly number[];
  /** Which machines ranks are started on; undefined: this one. */
  readonly hostfile: string | undefined;
}

export interface MeasurementOptions {
  readonly workload: WorkloadOptions;
  /** Ascending. Of each process where there are several; the first of them is then the only one, and else 1. */
  readonly workers: readonly number[];
  /** undefined: all workers are of one process. */
  readonly processes: Processes | undefined;
  readonly phases: readonly Phase[];
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** Told before each round; round -1 is the warm-up. */
  readonly progress: (phase: Phase, round: number) => void;
}

interface Candidate {
  readonly group: keyof Round;
  /** Workers in all, or threads. */
  readonly count: number;
  readonly setup: Setup;
  readonly program: ChildProcess<Question, Answer>;
  traffic: Readonly<Record<Phase, Traffic>> | undefined;
  cores: number;
}

/** Throws E_MPI where there are to be ranks and cannot be, and what a candidate failed by. */
export function measure(options: MeasurementOptions): Promise<Measurement[]> {
  return withTemporaryFolder('scaling', async (folder) => {
    const { processes } = options;
    if (processes?.by === 'ranks') await checkMpi(processes.counts.at(-1)!, placeOf(processes, folder));
    for (const count of processes?.counts ?? []) await makeFolder(ownFolder(folder, count));
    return measureAll(start(options, folder), options);
  });
}

/** The folder of one candidate. */
const ownFolder = (folder: string, count: number): string => join(folder, String(count));

async function measureAll(candidates: readonly Candidate[], options: MeasurementOptions): Promise<Measurement[]> {
  try {
    await Promise.all(candidates.map((candidate) => open(candidate, options)));
    const measurements: Measurement[] = [];
    for (const phase of options.phases) measurements.push(await measurePhase(phase, candidates, options));
    return measurements;
  } finally {
    await Promise.all(candidates.map(({ program }) => program.close()));
  }
}

/** For each N: N workers, or N processes. Products of dense networks have one thread, so that there is no worker of N threads to compare with. */
function start({ workers, processes, signal }: MeasurementOptions, folder: string): Candidate[] {
  const here = entryCommand();
  const of = (group: keyof Round, count: number, setup: Setup, name: string, command = here): Candidate => {
    const program: Candidate['program'] = new ChildProcess(command, name, 1, signal);
    return { group, count, setup, program, traffic: undefined, cores: 0 };
  };
  if (processes) {
    const [each = 1] = workers;
    return processes.counts.map((count) => {
      const setup = { workers: each, others: count - 1, share: count };
      return of('workers', each * count, setup, ...startedBy(processes, count, each, folder));
    });
  }
  return workers.map((count) =>
    of('workers', count, { workers: count, others: 0, share: count }, `${count} worker(s)`),
  );
}

function startedBy(
  processes: Processes,
  count: number,
  workers: number,
  folder: string,
): [name: string, command?: CommandLine] {
  if (processes.by === 'nodes') return [`a coordinator of ${count - 1} node(s)`];
  const command = entryCommand('rank', String(workers));
  return [`${count} rank(s)`, mpirunCommand(count, command, placeOf(processes, ownFolder(folder, count)))];
}

const placeOf = ({ hostfile }: Processes, folder: string): JobPlace => {
  return { hostfile, folder, env: process.env, isRoot: process.getuid?.() === 0 };
};

async function open(candidate: Candidate, { workload }: MeasurementOptions): Promise<void> {
  const { program, setup } = candidate;
  const opened = await program.ask('opened', { kind: 'open', options: workload, setup });
  Object.assign(candidate, { traffic: opened.traffic, cores: opened.cores });
}

async function measurePhase(
  phase: Phase,
  candidates: readonly Candidate[],
  { rounds, progress }: MeasurementOptions,
): Promise<Measurement> {
  // The warm-up is as long as a block: caches, the heap and the compiled code settle.
  progress(phase, -1);
  await round(phase, candidates, 0);
  const measured: Round[] = [];
  for (let r = 0; r < rounds; r++) {
    progress(phase, r);
    measured.push(await round(phase, candidates, r));
  }
  const traffic = candidates
    .filter(({ group }) => group === 'workers')
    .map((each) => [each.count, each.traffic![phase]]);
  const cores = Math.max(...candidates.map((each) => each.cores));
  return { phase, rounds: measured, traffic: Object.fromEntries(traffic) as Measurement['traffic'], cores };
}

/** Each round begins with another candidate, so that none always runs after the same one. */
async function round(phase: Phase, candidates: readonly Candidate[], r: number): Promise<Round> {
  const blocks: Record<keyof Round, Record<number, Block>> = { workers: {}, threads: {} };
  for (let i = 0; i < candidates.length; i++) {
    const { group, count, program } = candidates[(i + r) % candidates.length]!;
    blocks[group][count] = (await program.ask('measured', { kind: 'measure', phase })).block;
  }
  return blocks;
}

export interface Machine {
  readonly processor: string;
  /** What this process may use. */
  readonly cores: number;
  /** Of the last minute, before anything was measured. */
  readonly load: number;
  readonly node: string;
}

export interface PhaseReport extends Measurement, PhaseSummary {
  readonly prediction: readonly Prediction[] | undefined;
}

export interface ScalingReport {
  readonly mode: Mode;
  /** The unit whose number grows. */
  readonly unit: Unit;
  readonly machine: Machine;
  readonly workload: WorkloadOptions;
  readonly network: Network | undefined;
  readonly phases: readonly PhaseReport[];
}
