// Owns alarms that do not ring for time in which this process itself stood still.

/** A timer that rings so much too late was held up, and so were the answers that it waits for. */
const HELD_UP_MS = 100;

/** Calls `ring` after so many milliseconds. Returns what cancels it. */
export function alarm(milliseconds: number, ring: () => void): () => void {
  const due = performance.now() + milliseconds;
  let immediate: NodeJS.Immediate | undefined;
  let timer = setTimeout(late, milliseconds);
  function late(): void {
    const delay = performance.now() - due;
    // What has arrived meanwhile is delivered between a timer and an immediate.
    if (delay < HELD_UP_MS) immediate = setImmediate(ring);
    else timer = setTimeout(() => (immediate = setImmediate(ring)), Math.min(delay, milliseconds));
  }
  return () => {
    clearTimeout(timer);
    if (immediate) clearImmediate(immediate);
  };
}
