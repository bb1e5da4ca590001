// Owns the clock that the threads of a process share.

/** Milliseconds on a monotonic clock without a date. Unlike performance.now(), its zero is the same in every thread. */
export function clock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
