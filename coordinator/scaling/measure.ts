// Owns the measurement: all contestants side by side, one block each in turn, round after round, so that what disturbs the machine for a
// while disturbs all of them.
import type { Block, Round } from '../../src/scaling/summary.js';
import type { Traffic } from '../../src/scaling/traffic.js';
import type { Answer, Question } from './messages.js';
import { Program } from './program.js';
import type { Phase, Contestant as Setup, WorkloadOptions } from './workload.js';

export interface Measurement {
  readonly phase: Phase;
  readonly rounds: readonly Round[];
  /** Of a step with so many workers. */
  readonly traffic: Readonly<Record<number, Traffic>>;
}

export interface MeasurementOptions {
  readonly workload: WorkloadOptions;
  /** Ascending. Of each process where there are nodes; the first of them is then the only one, and else 1. */
  readonly workers: readonly number[];
  /** Numbers of processes that join another, ascending, the first of them 0; undefined: all workers are of one process. */
  readonly nodes: readonly number[] | undefined;
  readonly phases: readonly Phase[];
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** Told before each round; round -1 is the warm-up. */
  readonly progress: (phase: Phase, round: number) => void;
}

interface Contestant {
  readonly group: keyof Round;
  /** Workers in all, or threads. */
  readonly count: number;
  readonly setup: Setup;
  readonly program: Program<Question, Answer>;
  traffic: Readonly<Record<Phase, Traffic>> | undefined;
}

export async function measure(options: MeasurementOptions): Promise<Measurement[]> {
  const contestants = start(options);
  try {
    await Promise.all(contestants.map((contestant) => open(contestant, options)));
    const measurements: Measurement[] = [];
    for (const phase of options.phases) measurements.push(await measurePhase(phase, contestants, options));
    return measurements;
  } finally {
    for (const { program } of contestants) program.close();
  }
}

/** N workers for each N; and, where that is something else, one worker of N threads. Or a process that N others join, for each N. */
function start({ workers, nodes, signal }: MeasurementOptions): Contestant[] {
  const of = (group: keyof Round, count: number, setup: Setup, name: string): Contestant => {
    const program: Contestant['program'] = new Program(
      ...(['coordinator/scaling/entry.js', name, group === 'threads' ? count : 1, signal] as const),
    );
    return { group, count, setup, program, traffic: undefined };
  };
  if (nodes) {
    const [each = 1] = workers;
    return nodes.map((joining) => {
      const setup = { workers: each, nodes: joining, share: joining + 1 };
      return of('workers', each * (joining + 1), setup, `a coordinator of ${joining} node(s)`);
    });
  }
  return workers.flatMap((count) => {
    const several = of('workers', count, { workers: count, nodes: 0, share: count }, `${count} worker(s)`);
    const one = { workers: 1, nodes: 0, share: count };
    return count === 1 ? [several] : [several, of('threads', count, one, `1 worker of ${count} threads`)];
  });
}

async function open(contestant: Contestant, { workload }: MeasurementOptions): Promise<void> {
  const { program, setup } = contestant;
  contestant.traffic = (await program.ask('opened', { kind: 'open', options: workload, contestant: setup })).traffic;
}

async function measurePhase(
  phase: Phase,
  contestants: readonly Contestant[],
  { rounds, progress }: MeasurementOptions,
): Promise<Measurement> {
  // The warm-up is as long as a block: caches, the heap and the compiled code get to where they stay.
  progress(phase, -1);
  await round(phase, contestants, 0);
  const measured: Round[] = [];
  for (let r = 0; r < rounds; r++) {
    progress(phase, r);
    measured.push(await round(phase, contestants, r));
  }
  const traffic = contestants
    .filter(({ group }) => group === 'workers')
    .map((each) => [each.count, each.traffic![phase]]);
  return { phase, rounds: measured, traffic: Object.fromEntries(traffic) as Measurement['traffic'] };
}

/** Each round begins with another contestant: none of them always has the same one before it. */
async function round(phase: Phase, contestants: readonly Contestant[], r: number): Promise<Round> {
  const blocks: Record<keyof Round, Record<number, Block>> = { workers: {}, threads: {} };
  for (let i = 0; i < contestants.length; i++) {
    const { group, count, program } = contestants[(i + r) % contestants.length]!;
    blocks[group][count] = (await program.ask('measured', { kind: 'measure', phase })).block;
  }
  return blocks;
}
