// Makes the paths in the options of a run absolute, so that they are valid wherever the run is resumed.
import { resolve } from 'node:path';

const PATHS = ['data', 'labels', 'cache', 'model', 'start'] as const;

/** Names of models that are not paths. */
const BUILT_IN = /^(dense:.*|convnet|own:.*)$/;

/** Returns the options with absolute paths. */
export function withAbsolutePaths(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const paths = PATHS.flatMap((name) => {
    const path = options[name];
    return typeof path === 'string' && !BUILT_IN.test(path) ? [[name, resolve(path)]] : [];
  });
  return { ...options, ...Object.fromEntries(paths) };
}
