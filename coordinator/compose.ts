// The composition root: builds what computes a run (threads, a cluster of nodes or the ranks of an MPI job) and the
// strategies that split its steps into tasks. The other files know these only by their interfaces.

import { Images, type Selection, sharedRows } from '../src/data/images.js';
import type { ArenaShape, ImageSets } from '../src/engine/arena.js';
import { PseudolabelError } from '../src/errors.js';
import { methodOf } from '../src/methods/methods.js';
import { rowCountsOf, tensorShardCount, tensorShardRoom } from '../src/models/dense/tensor-layout.js';
import { type Numerics, numericsFingerprint, numericsOf } from '../src/models/fingerprint.js';
import { paddedRows } from '../src/models/kind.js';
import { denseOnly, parameterCount, workspaceBytesOf } from '../src/models/models.js';
import { PREDICT_ROWS } from '../src/models/predict.js';
import type { Executor } from '../src/training/executor.js';
import type { Stage } from '../src/training/stage.js';
import { type StrategyName, strategyOf } from '../src/training/strategy-choice.js';
import { createThreadExecutor, type ThreadExecutor } from '../worker/thread-executor.js';
import { Dispatcher, type StrategyFor } from './dispatcher.js';
import { ClusterExecutor } from './executors/cluster/cluster-executor.js';
import { MpiExecutor } from './executors/mpi/mpi-executor.js';
import { type ClusterPlace, checkShards, type ExecutionPlace } from './place.js';
import { countsOf, type ResolvedRun, type Session } from './runs/resolved-run.js';
import type { ListeningServer } from './server/transport.js';
import { DataParallel } from './strategies/data-parallel.js';
import type { Strategy } from './strategies/strategy.js';
import { TensorParallel } from './strategies/tensor-parallel.js';

/** Steps between two comparisons of all parameters. The checksum of 16 MB takes each machine about 10 ms. */
export const CHECKSUM_EVERY = 100;

/**
 * Opens a session for runs on the same images. All use the shards, workers and strategies of the first run.
 * Throws the errors of creating threads; for a cluster E_USAGE, E_NODES, E_INTERRUPTED and the errors of listening; for
 * MPI E_USAGE, E_NUMERICS and the error of a rank that failed.
 * @param wrap puts an executor between the dispatcher and its executor, such as one that records a trace or makes
 * faults
 */
export async function openSession(
  runs: readonly [ResolvedRun, ...ResolvedRun[]],
  place: ExecutionPlace = { kind: 'threads' },
  wrap: (executor: Executor) => Executor = (executor) => executor,
): Promise<Session> {
  const [run] = runs;
  const { shards } = run.config;
  if (place.kind === 'mpi') checkShards(shards, place.collective.size, 'ranks');
  // Runs before there are threads, so that it has the processor to itself.
  const numerics = numericsOf(run.stages[0]!.model);
  const fingerprint = numericsFingerprint(numerics);
  const local = await openThreads(runs);
  const over = (executor: Executor): Session => {
    const wrapped = wrap(executor);
    const dispatcher = new Dispatcher(wrapped, shards, countsOf(run), strategiesFor(wrapped, run, local));
    return { dispatcher, local, numerics: fingerprint, close: () => dispatcher.close() };
  };
  if (place.kind === 'threads') return over(local);
  if (place.kind === 'cluster') return clusterSession(run, place, local, { numerics, fingerprint }, over);
  const { collective, allowMixed } = place;
  const order = run.config.fastSum ? 'any' : 'tree';
  const options = { fingerprint, numerics, allowMixed, order, checksumEvery: CHECKSUM_EVERY } as const;
  const executor = new MpiExecutor(local, collective, options);
  const session = over(executor);
  try {
    await executor.welcome();
  } catch (error) {
    await session.close();
    throw error;
  }
  return { ...session, job: { ranks: collective.size, workers: executor.workers, sum: order } };
}

async function clusterSession(
  { config, stages, maxSteps }: ResolvedRun,
  place: ClusterPlace,
  local: ThreadExecutor,
  rules: { readonly numerics: Numerics; readonly fingerprint: string },
  over: (executor: Executor) => Session,
): Promise<Session> {
  const { computes, patienceMs, allowMixed, signal, nodes } = place;
  const cluster: ClusterExecutor = new ClusterExecutor(local, {
    computes,
    patienceMs,
    allowMixed,
    ...rules,
    checksumEvery: CHECKSUM_EVERY,
    wire: config.wire,
    plan: stages.map(({ name, steps }) => ({ name, steps: Math.min(steps, maxSteps) })),
    listener: place.listener(() => cluster.workers),
  });
  const session = over(cluster);
  let server: ListeningServer | undefined;
  const close = async () => {
    server?.close();
    place.closing(cluster.status());
    await session.close();
  };
  try {
    server = await place.open();
    place.listening(server);
    void admitAll(server, cluster);
    const stop = () => void cluster.close();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await cluster.machines.waitFor(nodes, patienceMs);
    signal.removeEventListener('abort', stop);
    signal.addEventListener('abort', () => cluster.machines.stop(), { once: true });
    return { ...session, close, activities: () => cluster.activities() };
  } catch (error) {
    const there = cluster.machines.remotes.size;
    await close();
    if (!signal.aborted) throw error;
    const message = `stopped before the first step, when ${there} of ${nodes} nodes were there`;
    // Nothing of the run has been written yet, not even its directory.
    const fix = `nothing was trained; start it again with: ${place.startAgain}`;
    throw new PseudolabelError('E_INTERRUPTED', message, fix);
  }
}

/** Admits each node that connects, until the server is closed. */
async function admitAll(server: ListeningServer, cluster: ClusterExecutor): Promise<void> {
  for await (const channel of server.arrivals) void cluster.admit(channel);
}

/** Creates threads that share the images of the first run. Their arena has room for the largest stage of all runs. */
export function openThreads(runs: readonly [ResolvedRun, ...ResolvedRun[]]): Promise<ThreadExecutor> {
  return createThreadExecutor({ shape: shapeFor(runs), images: imagesOf(runs[0]) });
}

/** Returns the data set's images in the order of the split. It copies no image. */
function imagesOf({ dataset: { pixels, train, test }, split: { unlabelled, validation } }: ResolvedRun): ImageSets {
  const rowsOf = (rows: Uint32Array): Selection => ({
    store: train.images,
    rows: rows.length === train.count ? undefined : sharedRows(rows),
  });
  return {
    unlabelled: new Images(pixels, [rowsOf(unlabelled)]),
    evaluation: new Images(pixels, [rowsOf(validation), ...(test ? [{ store: test.images }] : [])]),
  };
}

/**
 * Returns the function that chooses the strategy of a step. It makes each strategy on first use. local: the executor
 * whose arena holds the unlabelled images.
 */
export function strategiesFor(
  executor: Executor,
  { config }: Pick<ResolvedRun, 'config'>,
  { arena }: ThreadExecutor,
): StrategyFor {
  const made: Partial<Record<StrategyName, Strategy>> = {};
  const makers = {
    data: () => new DataParallel(executor, config.shards),
    tensor: () => new TensorParallel(executor, config.shards, arena.shape.unlabelled, arena.images.unlabelled),
  };
  return (step) => {
    const name = strategyOf(config, step);
    made[name] ??= makers[name]();
    return made[name];
  };
}

function shapeFor(runs: readonly [ResolvedRun, ...ResolvedRun[]]): ArenaShape {
  const [run] = runs;
  const { shards, workers } = run.config;
  const { unlabelled, validation, test } = countsOf(run);
  const rowsOf = ({ method }: Stage): number => methodOf(method).batch(method);
  const workspace = (stage: Stage): number => {
    const rows = Math.ceil(stage.labelledBatch / shards) + Math.ceil(rowsOf(stage) / shards);
    const training = workspaceBytesOf(stage.model, paddedRows(rows), true);
    return Math.max(training, workspaceBytesOf(stage.model, PREDICT_ROWS, false));
  };
  const tensor = (stage: Stage) => {
    const model = denseOnly(stage.model, 'cut into tensor shards');
    const batch = { unlabelledBatch: rowsOf(stage), labelsFresh: true };
    return tensorShardRoom(model, rowCountsOf(stage.labelledBatch, batch), tensorShardCount(model, shards));
  };
  const stages = runs.flatMap((each) => each.stages);
  const rooms = runs.flatMap((each) => each.stages.filter((_, s) => each.strategies[s] === 'tensor')).map(tensor);
  return {
    pixels: run.dataset.pixels,
    unlabelled,
    evaluation: validation + test,
    shards,
    workspaces: workers,
    parameterCount: Math.max(...stages.map(({ model }) => parameterCount(model))),
    averages: stages.some(({ average }) => average !== undefined),
    workspaceBytes: Math.max(...stages.map(workspace)),
    tensorShardBytes: Math.max(0, ...rooms.map(({ tensorShardBytes }) => tensorShardBytes)),
    shardGroupBytes: Math.max(0, ...rooms.map(({ shardGroupBytes }) => shardGroupBytes)),
  };
}
