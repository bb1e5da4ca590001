// Owns the measurement: all contestants side by side, one block each in turn, round after round, so that what disturbs the machine for a
// while disturbs all of them.
import type { Block, Round } from '../../src/scaling/summary.js';
import type { Traffic } from '../../src/scaling/traffic.js';
import { ContestantProcess } from './process.js';
import type { Phase, WorkloadOptions } from './workload.js';

export interface Measurement {
  readonly phase: Phase;
  readonly rounds: readonly Round[];
  /** Of a step with so many workers. */
  readonly traffic: Readonly<Record<number, Traffic>>;
}

export interface MeasurementOptions {
  readonly workload: WorkloadOptions;
  /** Ascending, the first of them 1. */
  readonly workers: readonly number[];
  readonly phases: readonly Phase[];
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** Told before each round; round -1 is the warm-up. */
  readonly progress: (phase: Phase, round: number) => void;
}

interface Contestant {
  readonly group: keyof Round;
  readonly count: number;
  readonly program: ContestantProcess;
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

/** N workers for each N; and, where that is something else, one worker of N threads. */
function start({ workers, signal }: MeasurementOptions): Contestant[] {
  const of = (group: keyof Round, count: number): Contestant => {
    const name = group === 'workers' ? `${count} worker(s)` : `1 worker of ${count} threads`;
    const program = new ContestantProcess(name, group === 'threads' ? count : 1, signal);
    return { group, count, program, traffic: undefined };
  };
  return workers.flatMap((count) => (count === 1 ? [of('workers', 1)] : [of('workers', count), of('threads', count)]));
}

async function open(contestant: Contestant, { workload }: MeasurementOptions): Promise<void> {
  const { group, count, program } = contestant;
  contestant.traffic = await program.open(workload, { workers: group === 'workers' ? count : 1, share: count });
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
    blocks[group][count] = await program.measure(phase);
  }
  return blocks;
}
