// Keeps local nodes for tests that create many. A node that is closed while its threads are idle leaves them to the
// next node of its shape, with an arena as good as new. Starting a thread takes as long as most trainings here.
import type { Piscina } from 'piscina';
import { afterAll } from 'vitest';
import { type Arena, bytes, type ImageSets } from '../../src/engine/arena.js';
import { createThreadExecutor, ThreadExecutor, type ThreadExecutorOptions } from '../../worker/thread-executor.js';
import { ThreadPool } from '../../worker/thread-pool.js';

/** The parts of a node and its pool that their users do not see. */
interface Inside {
  readonly pool: {
    readonly threads: Piscina;
    readonly workspaces: { readonly free: readonly number[] };
    closed: boolean;
  };
}
type PoolOf = new (threads: Piscina, size: number) => ThreadPool;

interface Kept {
  readonly arena: Arena;
  /** If undefined, the images are those that were sent to the node. They are not kept. */
  readonly images: ImageSets | undefined;
  readonly pool: ConstructorParameters<PoolOf>;
}

const kept = new Map<string, Kept[]>();
afterAll(async () => {
  await Promise.all([...kept.values()].flat().map(({ pool: [threads] }) => threads.destroy()));
  kept.clear();
});

/** Works like createLocalNode. */
export async function createKeptExecutor(options: ThreadExecutorOptions): Promise<ThreadExecutor> {
  const shape = JSON.stringify(options.shape);
  const { images } = options;
  const ofShape = kept.get(shape) ?? [];
  const place = ofShape.findIndex((each) => each.images === images);
  const [found] = place < 0 ? [] : ofShape.splice(place, 1);
  const node = found ? nodeAgain(found) : await createThreadExecutor(options);
  const { arena, workers } = node;
  const { pool } = node as unknown as Inside;
  const close = node.close.bind(node);
  node.close = async () => {
    const { threads, workspaces, closed } = pool;
    if (closed || workspaces.free.length < workers || threads.threads.length < workers) return close();
    pool.closed = true;
    for (const event of ['workerDestroy', 'error']) threads.removeAllListeners(event);
    kept.set(shape, [...(kept.get(shape) ?? []), { arena, images, pool: [threads, workers] }]);
  };
  return node;
}

function nodeAgain({ arena, images, pool }: Kept): ThreadExecutor {
  const { memory, regions } = arena;
  const normals = bytes(arena, 'normals', regions.updateLogs - regions.normals).slice();
  new Uint8Array(memory.buffer, regions.pseudoLabels).fill(0);
  bytes(arena, 'normals', normals.length).set(normals);
  for (const { parts } of images ? [] : [arena.images.unlabelled, arena.images.evaluation])
    for (const { store } of parts) for (const view of store.views()) view.fill(0);
  return new ThreadExecutor(arena, new (ThreadPool as unknown as PoolOf)(...pool));
}
