// The process of `pseudolabel`: its signals, its exit code, and what it says when it fails.
import { CommanderError } from 'commander';
import { exitCodeOf, PseudolabelError } from '../src/errors.js';
import { cannotWrite } from '../src/files/write-errors.js';
import { invocationHere } from './commands/invocation.js';
import type { Context } from './commands/options.js';
import { programOf } from './commands/program.js';
import { Terminal } from './terminal/terminal.js';

/**
 * SIGUSR2 is what mpirun passes on at once and without ending the job; at SIGINT and SIGTERM it gives ranks a second or
 * so. SIGHUP comes when the terminal goes away, SIGBREAK is Windows' own.
 */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGBREAK'] as const;

/** One Ctrl-C may arrive several times: from the terminal, which signals the whole group, from the launcher and npm. */
const ONE_REQUEST_MS = 2000;

/** Errors of a stream whose reader is gone. A terminal that went away answers with EIO. */
const UNREAD = ['EPIPE', 'EIO', 'ENXIO', 'ECONNRESET', 'ENOTCONN', 'ERR_STREAM_DESTROYED'];

const terminal = new Terminal(process.stdout, process.stderr, process.env);

/** Commander's error about a wrong command line, as one of ours; undefined where it only showed help or the version. */
function usageError({ code, exitCode, message }: CommanderError): PseudolabelError | undefined {
  if (exitCode === 0) return undefined;
  if (code === 'commander.help')
    return new PseudolabelError('E_USAGE', 'no command given', 'name one of the commands above');
  const [, problem, suggestion] = /^(?:error: )?(.*?)(?:\s*\((Did you mean .*)\))?$/s.exec(message)!;
  const numbers = code === 'commander.unknownOption' ? '; numbers such as the learning rate are changed by --set' : '';
  return new PseudolabelError('E_USAGE', problem!, suggestion ?? `add --help to see what is possible${numbers}`);
}

/** The first signal asks to stop once everything is saved; the second one stops at once. */
function stopOnSignal(): AbortSignal {
  const controller = new AbortController();
  let asked = 0;
  const stop = (name?: NodeJS.Signals): void => {
    const now = performance.now();
    if (controller.signal.aborted) {
      // A terminal that goes away is not a second Ctrl-C.
      if (now - asked > ONE_REQUEST_MS && name !== 'SIGHUP') process.exit(130);
      return;
    }
    asked = now;
    terminal.note('stopping; Ctrl-C again stops at once');
    controller.abort(new PseudolabelError('E_INTERRUPTED', 'stopped before it was done', 'start it again'));
  };
  // The launcher says whether the program outlives its terminal (hangup.mjs). Without a handler, SIGHUP ends Node.
  const outlives = process.env.PSEUDOLABEL_HANGUP === 'ignored';
  for (const name of STOPPING) process.on(name, name === 'SIGHUP' && outlives ? () => undefined : stop);
  // The launcher was killed, and whoever did so knows of no other process to stop.
  process.on('disconnect', () => stop());
  process.channel?.unref();
  return controller.signal;
}

function fail(error: unknown): number {
  terminal.explain(error);
  return exitCodeOf(error);
}

// The reader of our output may be gone (`| head`, a terminal), or its disk full: a run goes on all the same.
process.stderr.on('error', () => undefined);
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (UNREAD.includes(error.code ?? '')) return;
  process.exitCode = fail(cannotWrite('the standard output', error));
});
process.on('uncaughtException', (error) => process.exit(fail(error)));
try {
  const signal = stopOnSignal();
  const goesOn: Context['goesOn'] = (folder, line) => void process.send?.({ folder, line });
  await programOf({ terminal, signal, invocation: invocationHere(), goesOn }).parseAsync();
} catch (error) {
  const told = error instanceof CommanderError ? usageError(error) : error;
  if (told !== undefined) process.exitCode = fail(told);
}
