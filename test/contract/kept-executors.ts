// Owns local nodes for tests that begin many: one that is closed while its threads have nothing to do leaves them to the next of its shape,
// with an arena as good as new. A thread takes as long to begin as most trainings here.
import type { Piscina } from 'piscina';
import { afterAll } from 'vitest';
import { type Arena, bytes } from '../../src/engine/arena.js';
import { createThreadExecutor, ThreadExecutor, type ThreadExecutorOptions } from '../../worker/thread-executor.js';
import { ThreadPool } from '../../worker/thread-pool.js';

/** What of a node and its pool their users do not see. */
interface Inside {
  readonly pool: {
    readonly threads: Piscina;
    readonly workspaces: { readonly free: readonly number[] };
    closed: boolean;
  };
}
type PoolOf = new (threads: Piscina, size: number, writesInPlace: boolean) => ThreadPool;

interface Kept {
  readonly arena: Arena;
  readonly pool: ConstructorParameters<PoolOf>;
}

const kept = new Map<string, Kept[]>();
afterAll(async () => {
  await Promise.all([...kept.values()].flat().map(({ pool: [threads] }) => threads.destroy()));
  kept.clear();
});

/** As createLocalNode. */
export async function createKeptExecutor(options: ThreadExecutorOptions): Promise<ThreadExecutor> {
  const shape = JSON.stringify(options.shape);
  const found = kept.get(shape)?.pop();
  const node = found ? nodeAgain(found, options) : await createThreadExecutor(options);
  const { arena, writesInPlace, workers } = node;
  const { pool } = node as unknown as Inside;
  const close = node.close.bind(node);
  node.close = async () => {
    const { threads, workspaces, closed } = pool;
    if (closed || workspaces.free.length < workers || threads.threads.length < workers) return close();
    pool.closed = true;
    for (const event of ['workerDestroy', 'error']) threads.removeAllListeners(event);
    kept.set(shape, [...(kept.get(shape) ?? []), { arena, pool: [threads, workers, writesInPlace] }]);
  };
  return node;
}

function nodeAgain({ arena, pool }: Kept, { images, evaluationImages }: ThreadExecutorOptions): ThreadExecutor {
  const { memory, regions } = arena;
  const normals = bytes(arena, 'normals', regions.updateLogs - regions.normals).slice();
  new Uint8Array(memory.buffer, regions.images).fill(0);
  bytes(arena, 'normals', normals.length).set(normals);
  bytes(arena, 'images', images.length).set(images);
  bytes(arena, 'evaluationImages', evaluationImages.length).set(evaluationImages);
  return new ThreadExecutor(arena, new (ThreadPool as unknown as PoolOf)(...pool));
}
