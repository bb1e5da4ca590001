// The clock that all threads of a process share, and clocks that a test can move.

/** Milliseconds on a monotonic clock without a date. Its zero is the same in every thread, which performance.now() does not promise. */
export function clock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** What deadlines are kept by: the system's clock, or that of a test, which moves when the test says so. */
export interface Clock {
  /** Milliseconds since a moment that stays the same. */
  now(): number;
  /** Calls after so many milliseconds. Returns what cancels it. */
  after(milliseconds: number, call: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};
