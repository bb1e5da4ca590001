// The paths in the options of a run, which hold wherever it is resumed.
import { resolve } from 'node:path';

const PATHS = ['data', 'labels', 'cache', 'model', 'start'] as const;

/** Models that are no path. */
const BUILT_IN = /^(dense:.*|convnet|own:.*)$/;

/** With absolute paths. */
export function located(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const paths = PATHS.flatMap((name) => {
    const path = options[name];
    return typeof path === 'string' && !BUILT_IN.test(path) ? [[name, resolve(path)]] : [];
  });
  return { ...options, ...Object.fromEntries(paths) };
}
