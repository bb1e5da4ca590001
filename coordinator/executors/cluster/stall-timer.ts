// Owns alarms that do not ring for time in which this process itself stood still.
import type { Clock } from '../../../src/clock.js';

/** A timer that rings so much too late was held up, and so were the answers that it waits for. */
const HELD_UP_MS = 100;

/** Calls `ring` after so many milliseconds. Returns what cancels it. */
export function stallTimer(clock: Clock, milliseconds: number, ring: () => void): () => void {
  const due = clock.now() + milliseconds;
  let immediate: NodeJS.Immediate | undefined;
  // What has arrived meanwhile is delivered between a timer and an immediate.
  const soon = () => {
    immediate = setImmediate(ring);
  };
  let cancel = clock.after(milliseconds, () => {
    const delay = clock.now() - due;
    if (delay < HELD_UP_MS) soon();
    else cancel = clock.after(Math.min(delay, milliseconds), soon);
  });
  return () => {
    cancel();
    if (immediate) clearImmediate(immediate);
  };
}
