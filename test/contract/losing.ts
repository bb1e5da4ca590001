// Loses workers of an executor under test: one in every other phase, at a random moment.
import { setTimeout as sleep } from 'node:timers/promises';
import { keyOf, Stream } from '../../src/random.js';
import type { Executor } from '../../src/training/executor.js';

const PHASES = new Set(['gradients', 'update', 'predict', 'describe', 'neighbours', 'forward', 'backward']);

/** Returns the executor. It loses a worker in every other of its phases, up to 20 ms after the phase began. */
export function losing<N extends Executor>(node: N, loseWorker: (index: number) => Promise<void>, seed: number): N {
  const stream = new Stream(keyOf(seed, 'split', 8));
  const whileLosing = async <T>(phase: Promise<T>): Promise<T> => {
    const delay = stream.below(40);
    if (delay < 20) {
      if (delay > 0) await sleep(delay);
      await loseWorker(stream.below(node.workers));
    }
    return phase;
  };
  // The update and the backward pass, which gradients and forward passes return, are phases too.
  const lossy = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(_, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        if (!PHASES.has(String(name))) return value.bind(target);
        return async (...args: unknown[]) => lossy((await whileLosing(value.apply(target, args))) as object);
      },
    });
  return lossy(node);
}
