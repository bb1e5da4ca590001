// Runs programs in processes of their own, in the environment of a shell without TensorFlow's variables.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The variables of a shell without those of TensorFlow. */
const { PATH, HOME, XDG_CACHE_HOME, LD_LIBRARY_PATH } = process.env;
const bare = Object.fromEntries(
  Object.entries({ PATH, HOME, XDG_CACHE_HOME, LD_LIBRARY_PATH }).filter(([, value]) => value !== undefined),
) as NodeJS.ProcessEnv;

/** Runs a program. Rejects if it fails. */
export const run = (program: string, args: readonly string[], cwd = ROOT, env: NodeJS.ProcessEnv = {}) =>
  promisify(execFile)(program, args, { cwd, env: { ...bare, ...env } });
/** Runs a JavaScript module that imports the package by its name. */
export const script = (source: string, cwd = ROOT, env: NodeJS.ProcessEnv = {}) =>
  run(process.execPath, ['--input-type=module', '--eval', source], cwd, env);
