// Owns when the memory of what has arrived is collected. V8 counts the bytes of every buffer that a socket reads into as pressure on its whole
// heap: left alone, a step that receives 16 MB makes it mark 28 MB of loaded modules, with four threads, at nearly every step.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes that arrive between two collections. A buffer that is still in use at one must not be at the next: it would count as old. */
const EVERY = 2 ** 23;

/** Buffers die young: to collect the young generation takes some 0.4 ms, and in the calling thread alone. */
let collectYoung: (() => void) | undefined;
let arrived = 0;

/** Tells of bytes that have arrived in buffers which are not needed any more. */
export function hasArrived(bytes: number): void {
  collectYoung ??= collector(); // at the first bytes, since its limits are for all that the thread does
  arrived += bytes;
  if (arrived < EVERY) return;
  arrived = 0;
  collectYoung();
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  // The whole heap is still marked, when it has grown to five times its size, and not by a share of it.
  setFlagsFromString('--heap-growing-percent=400');
  // Little survives: other threads would be woken for less than that takes.
  setFlagsFromString('--no-parallel-scavenge');
  return typeof collect === 'function' ? () => void collect({ type: 'minor' }) : () => undefined;
}
