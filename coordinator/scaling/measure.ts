// Measures all candidates in turn, one block each, round after round. So a temporary load on the machine affects all of
// them.
import { join } from 'node:path';
import { withTemporaryFolder } from '../../src/files/remove.js';
import { makeFolder } from '../../src/files/write.js';
import type { Unit } from '../../src/reporting/scaling-page.js';
import type { LinkModel, Prediction } from '../../src/scaling/simulate.js';
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
  /** The cores of all machines that a candidate used. */
  readonly cores: number;
}

/** Candidates of several processes with equal numbers of workers. */
export interface Processes {
  /** nodes: they join a coordinator through loopback; ranks: they are of an MPI job. */
  readonly by: 'nodes' | 'ranks';
  /** Ascending; the first is 1. */
  readonly counts: readonly number[];
  /** The file of machines on which ranks are started. Defaults to this machine. */
  readonly hostfile: string | undefined;
}

export interface MeasurementOptions {
  readonly workload: WorkloadOptions;
  /**
   * Numbers of workers, ascending, of which the first is 1. If there are several processes, the only number is that of
   * the workers of each.
   */
  readonly workers: readonly number[];
  /** If undefined, all workers are of one process. */
  readonly processes: Processes | undefined;
  readonly phases: readonly Phase[];
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** Is told before each round. Round -1 is the warm-up. */
  readonly progress: (phase: Phase, round: number) => void;
}

interface Candidate {
  readonly group: keyof Round;
  /** All its workers, or threads. */
  readonly count: number;
  readonly setup: Setup;
  readonly program: ChildProcess<Question, Answer>;
  traffic: Readonly<Record<Phase, Traffic>> | undefined;
  cores: number;
}

/** Measures all phases. Throws E_MPI if ranks cannot be started, and the error of a candidate that failed. */
export function measure(options: MeasurementOptions): Promise<Measurement[]> {
  return withTemporaryFolder('scaling', async (folder) => {
    const { processes } = options;
    if (processes?.by === 'ranks') await checkMpi(processes.counts.at(-1)!, placeOf(processes, folder));
    for (const count of processes?.counts ?? []) await makeFolder(ownFolder(folder, count));
    return measureAll(start(options, folder), options);
  });
}

/** Returns the folder of one candidate. */
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

/**
 * Starts a candidate for each N: N workers, or N processes. There is no candidate of one worker with N threads, because
 * products of dense networks use one thread.
 */
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
  // The warm-up is as long as a block. In it, caches, the heap and the compiled code settle.
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

/**
 * Measures one block of each candidate. Each round begins with another candidate, so that none always runs after the
 * same one.
 */
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
  /** The cores that this process may use. */
  readonly cores: number;
  /** The load of the last minute, before anything was measured. */
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
  readonly network: LinkModel | undefined;
  readonly phases: readonly PhaseReport[];
}
