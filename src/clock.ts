// The clock that all threads of a process share, and the interface of clocks, which tests can replace.

/**
 * Returns milliseconds on a monotonic clock without a date. Its zero is the same in every thread, which
 * performance.now() does not promise.
 */
export function clock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** The clock of deadlines: the system's, or that of a test, which moves when the test says so. */
export interface Clock {
  /** Returns milliseconds since a fixed moment. */
  now(): number;
  /** Calls `call` after this time. Returns a function that cancels it. */
  after(milliseconds: number, call: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};
