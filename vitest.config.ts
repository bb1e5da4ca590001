// How the tests run: each file in a process of its own, since TensorFlow's library wants a process's main thread, and in the
// environment of a run. Threads are started from dist/, so it has to be current (`npm run build`). The soak is a mode of its own.
import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { completed } from './scripts/environment.mjs';

export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'soak' ? ['test/soak/*.soak.ts'] : configDefaults.include,
    pool: 'forks',
    // One more than there are processors: most tests wait for a thread or a process to start, and many for a deadline.
    maxWorkers: availableParallelism() + 1,
    env: completed(process.env),
    // Against hangs alone: a test of seconds may take minutes where others want the processors too.
    testTimeout: 900_000,
    hookTimeout: 900_000,
    expect: { poll: { timeout: 120_000 } },
    teardownTimeout: 10_000,
  },
}));
