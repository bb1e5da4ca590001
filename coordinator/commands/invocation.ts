// Finds out how `pseudolabel` was called, and makes command lines that work when they are pasted: in the user's own
// form, on another machine, or to resume a run.
import { existsSync } from 'node:fs';
import { basename, delimiter, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { PseudolabelError } from '../../src/errors.js';
import { built } from '../../src/files/read.js';
import { shellWord } from '../../src/option-text.js';
import { optionsSchema } from '../../src/training/config.js';

export interface Invocation {
  /** The words that the user typed after the program's name. */
  readonly typed: readonly string[];
  /**
   * Returns a command line of `pseudolabel`, in the form in which it was called. args: the command and its arguments.
   */
  line(args: readonly string[]): string;
  /** Returns the same for another machine that has `pseudolabel` in the same way, as a checkout or installed. */
  lineElsewhere(args: readonly string[]): string;
}

/** What is known of a call. */
interface Call {
  readonly env: NodeJS.ProcessEnv;
  readonly typed: readonly string[];
  readonly cwd: string;
  /** The folder of pseudolabel. */
  readonly root: string;
  readonly isCheckout: boolean;
}

const BY_NPM_RUN = 'npm run -s pseudolabel --';
const BY_NPX = 'npx pseudolabel';
const BY_NAME = 'pseudolabel';

/**
 * Returns how this process was called. The launcher, which may be its parent, sets its path in PSEUDOLABEL_LAUNCHER.
 */
export function invocationHere(): Invocation {
  const root = fileURLToPath(new URL('..', built('')));
  return invocationOf({
    env: process.env,
    typed: process.argv.slice(2),
    cwd: process.cwd(),
    root,
    isCheckout: existsSync(join(root, 'src')),
  });
}

export function invocationOf(call: Call): Invocation {
  const { env, typed } = call;
  const program = programOf(call);
  const isNpmStart = isOurScript(call) && env.npm_lifecycle_event === 'start';
  const fromFolder = call.isCheckout ? BY_NPM_RUN : BY_NPX;
  const elsewhere = program === BY_NAME || program === BY_NPX ? program : fromFolder;
  const withWords = (start: string, words: readonly string[]): string => [start, ...words.map(shellWord)].join(' ');
  return {
    typed,
    line(args) {
      const [command, ...rest] = args;
      if (isNpmStart && command === 'reproduce') return withWords(rest.length > 0 ? 'npm start --' : 'npm start', rest);
      return withWords(underMpi(env) + program, args);
    },
    lineElsewhere: (args) => withWords(elsewhere, args),
  };
}

/** Returns the words that start `pseudolabel` in the user's shell. */
function programOf(call: Call): string {
  const { env, cwd, root } = call;
  const launcher = env.PSEUDOLABEL_LAUNCHER;
  if (isOurScript(call)) {
    // Inside the program's folder npm finds it; elsewhere it was given --prefix.
    const isAway = env.INIT_CWD !== undefined && !isWithin(root, env.INIT_CWD);
    return isAway ? `npm --prefix ${shellWord(root)} run -s pseudolabel --` : BY_NPM_RUN;
  }
  if (
    launcher === undefined ||
    env.npm_command === 'exec' ||
    launcher.includes(`${join('node_modules', '.bin')}${sep}`)
  )
    return BY_NPX;
  if (basename(launcher) !== BY_NAME) return `node ${shellWord(shortest(launcher, cwd))}`;
  const onPath = (env.PATH ?? '')
    .split(delimiter)
    .some((folder) => folder !== '' && resolve(folder) === dirname(launcher));
  return onPath ? BY_NAME : shellWord(shortest(launcher, cwd));
}

/** Returns whether npm runs a script of this program's package.json, and not one of a package that uses it. */
const isOurScript = ({ env, root, isCheckout }: Call): boolean =>
  isCheckout &&
  env.npm_package_json === join(root, 'package.json') &&
  (env.npm_lifecycle_event === 'pseudolabel' || env.npm_lifecycle_event === 'start');

/** Shortens a path below the current folder. The result has a slash, because a shell looks up other names in PATH. */
function shortest(path: string, cwd: string): string {
  if (!isWithin(cwd, path)) return path;
  const within = relative(cwd, path);
  return within.includes(sep) ? within : `.${sep}${within}`;
}

function isWithin(folder: string, path: string): boolean {
  const within = relative(folder, path);
  return !within.startsWith('..') && !isAbsolute(within);
}

/** Returns the words that start an MPI job again, with the same number of ranks. */
const underMpi = ({ OMPI_COMM_WORLD_SIZE: ranks }: NodeJS.ProcessEnv): string =>
  ranks === undefined ? '' : `mpirun -np ${ranks} `;

/** Options that the directory already holds, and faults, which a second start does not repeat. */
const NOT_AGAIN: ReadonlySet<string> = new Set([
  ...Object.keys(optionsSchema.shape),
  ...['out', 'config', 'resume', 'scenarios', 'splits', 'loseWorker', 'stallWorker'],
]);

/** Returns the arguments that resume a run. typed: the words of the command line, with the command's name first. */
export function resumeArgs(command: Command, typed: readonly string[], folder: string): string[] {
  const kept: string[] = [];
  for (let at = 0; at < typed.length; at++) {
    const [flag, value] = typed[at]!.split('=', 2);
    const option = command.options.find(({ long, short }) => flag === long || flag === short);
    if (!option) continue;
    const next = typed[at + 1];
    const takesNext = value === undefined && (option.required || (option.optional && !(next ?? '-').startsWith('-')));
    const words = typed.slice(at, takesNext ? at + 2 : at + 1);
    at += words.length - 1;
    if (!NOT_AGAIN.has(option.attributeName())) kept.push(...words);
  }
  return [command.name(), '--resume', folder, ...kept];
}

/** Returns the same error. If its fix is to resume, it gets the command line that does so. */
export function withResumeLine(error: unknown, command: Command, folder: string, invocation: Invocation): unknown {
  if (!(error instanceof PseudolabelError)) return error;
  const line = invocation.line(resumeArgs(command, invocation.typed, folder));
  const { code, message, fix } = error;
  if (code === 'E_INTERRUPTED') return new PseudolabelError(code, message, `go on with: ${line}`, { cause: error });
  return fix.endsWith('--resume') ? new PseudolabelError(code, message, `${fix}: ${line}`, { cause: error }) : error;
}
