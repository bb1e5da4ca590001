// Loads tfjs-node itself, for tests that compare with what it computes and reads. The program only needs its binding.
import { createRequire } from 'node:module';
import util from 'node:util';

export type Tf = typeof import('@tensorflow/tfjs-node');

/** Loads tfjs-node, which takes 0.4 s the first time. */
export function tensorflow(): Tf {
  // tfjs-node 4.22 calls a function that Node 23 removed.
  const legacy = util as unknown as { isNullOrUndefined?: (value: unknown) => boolean };
  legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
  return createRequire(import.meta.url)('@tensorflow/tfjs-node') as Tf;
}
