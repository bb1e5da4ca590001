// Tests the cost of the buffers that sockets read into. They must be collected young, without marking the whole heap.
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { expect, it } from 'vitest';
import { MAX_BULK } from '../../src/protocol/limits.js';
import { tagOf } from '../contract/talk.js';
import { Arrivals, closedAfterEach, joinServer, openServer } from '../sockets.js';

const closing = closedAfterEach();

/** An entry of a collection. Node.js has no type for it. */
interface Collection {
  readonly detail: { readonly kind: number };
}

/**
 * The bytes of 32 steps of a gradient of 16 MB. V8 would mark the heap after 64 MB, and near its first limit at every
 * step.
 */
const ARRAYS = 512;

it('hundreds of megabytes arrive, and the whole heap is marked no more than a few times', async () => {
  const server = closing(await openServer());
  const [coordinator, worker] = await Promise.all([new Arrivals(server).next(), joinServer(server)]);
  closing(worker);
  let bytes = 0;
  closing(coordinator).listen({
    message: () => undefined,
    bulk: (_, payload) => {
      bytes += payload.length;
    },
    closed: () => undefined,
  });
  const collections: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) collections.push((entry as unknown as Collection).detail.kind);
  });
  observer.observe({ entryTypes: ['gc'] });

  const array = new Uint8Array(new SharedArrayBuffer(MAX_BULK));
  for (let i = 0; i < ARRAYS; i++) await worker.sendBulk(tagOf(0), array);
  await expect.poll(() => bytes).toBe(ARRAYS * MAX_BULK);
  await new Promise((resolve) => setTimeout(resolve, 50)); // Entries come one turn later.
  observer.disconnect();

  const young = collections.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MINOR).length;
  expect(collections.length - young).toBeLessThan(4);
});
