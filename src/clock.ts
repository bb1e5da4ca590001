// Owns the clock that the threads of a process share.

/** Milliseconds on a monotonic clock without a date. Its zero is the same in every thread, which performance.now() does not promise. */
export function clock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}
