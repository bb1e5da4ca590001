// How the tests run: each file in a process of its own, since TensorFlow's library wants a process's main thread, and in the
// environment of a run. Threads are started from dist/, so it has to be current (`npm run build`). The soak is a mode of its own.
import { configDefaults, defineConfig } from 'vitest/config';
import { completed } from './scripts/environment.mjs';

export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'soak' ? ['test/soak/*.soak.ts'] : configDefaults.include,
    pool: 'forks',
    env: completed(process.env),
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
  },
}));
