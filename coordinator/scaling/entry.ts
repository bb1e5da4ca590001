// Runs a process of a measurement. Without arguments, it measures. `node WORKERS` joins that process as `pseudolabel
// worker` joins a run. `rank WORKERS` is a rank of a job that mpirun has started; rank 0 measures. A process only works
// when it is asked to, so that it takes no core from another. They are separate processes because TensorFlow reads its
// number of threads only once.
import { availableParallelism } from 'node:os';
import { openMpi } from '../../src/collectives/mpi.js';
import { TO_COORDINATOR, TO_NODE, type ToCoordinator, type ToNode } from '../../src/protocol/cluster-messages.js';
import { connect } from '../../worker/connect.js';
import { joinRun } from '../../worker/node-host.js';
import { createThreadExecutor, type ThreadExecutor } from '../../worker/thread-executor.js';
import { readToken } from '../server/secrets.js';
import { printLine } from '../terminal/terminal.js';
import { ActivityRecord, TracedChannel, traced } from './activity-record.js';
import { Bench, type ProcessGroup, type WorkloadOptions } from './bench.js';
import { answering } from './child-process.js';
import { ClusterGroup } from './cluster-group.js';
import type { Answer, NodeAnswer, NodeQuestion, Question } from './messages.js';
import { dismiss, MpiGroup, serve } from './mpi-group.js';

type Gather = (local: ThreadExecutor, others: number, options: WorkloadOptions) => Promise<ProcessGroup>;

const [role, workers] = [process.argv[2], Number(process.argv[3])];
if (role === 'node') nodeProcess();
else if (role === 'rank') await rankProcess();
else answering(measuring(ClusterGroup.open, availableParallelism));

/**
 * Answers the requests of measure.ts. gather: finds the other processes. cores: returns the cores of all machines then.
 */
function measuring(gather: Gather, cores: () => number): (question: Question) => Promise<Answer> {
  let bench: Bench | undefined;
  return async (question) => {
    if (question.kind === 'measure') return { kind: 'measured', block: await bench!.measure(question.phase) };
    const { options, setup } = question;
    bench = await Bench.open(options, setup, (local) => gather(local, setup.others, options));
    return { kind: 'opened', traffic: bench.workload.traffic, cores: cores() };
  };
}

async function rankProcess(): Promise<void> {
  const collective = await openMpi(process.env, new AbortController().signal);
  const end = () => {
    collective.close();
    process.exit();
  };
  if (collective.rank > 0) return serve(collective, workers).then(end);
  let job: MpiGroup | undefined;
  const gather: Gather = async (local, _, { fastSum }) => {
    job = await MpiGroup.open(local, collective, fastSum ? 'any' : 'tree');
    return job;
  };
  answering(
    measuring(gather, () => job?.cores ?? availableParallelism()),
    () => dismiss(collective).then(end),
  );
}

function nodeProcess(): void {
  const record = new ActivityRecord();
  answering(async (question: NodeQuestion): Promise<NodeAnswer> => {
    switch (question.kind) {
      case 'join':
        await join(question, record);
        return { kind: 'joined' };
      case 'begin':
        record.clear();
        return { kind: 'begun' };
      case 'account':
        return { kind: 'accounted', account: record.account(workers, question.began, question.ended) };
    }
  });
}

/** Resolves when it is connected. Later failures end the process, and the measuring process reports it as lost. */
async function join(
  { address, tokenFile, fingerprint }: Extract<NodeQuestion, { kind: 'join' }>,
  record: ActivityRecord,
): Promise<void> {
  const tables = { outgoing: TO_COORDINATOR, incoming: TO_NODE };
  const token = await readToken(tokenFile);
  const channel = await connect<ToCoordinator, ToNode>({ address, fingerprint, token, tables });
  const { signal } = new AbortController();
  const options = { name: 'node', workers, signal };
  const unexpected = (error: unknown) => {
    printLine(process.stderr, String(error));
    process.exit(1);
  };
  const host = { joined: () => undefined, lost: unexpected };
  const create: typeof createThreadExecutor = async (of) => traced(await createThreadExecutor(of), record);
  joinRun(() => Promise.resolve(new TracedChannel(channel, record)), options, host, create).catch(unexpected);
}
