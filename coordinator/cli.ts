// Runs the process of `pseudolabel`: handles its signals, sets its exit code and prints its errors.
import { CommanderError } from 'commander';
import { exitCodeOf, PseudolabelError } from '../src/errors.js';
import { cannotWrite } from '../src/files/write-errors.js';
import { invocationHere } from './commands/invocation.js';
import type { Context } from './commands/options.js';
import { programOf } from './commands/program.js';
import { Terminal } from './terminal/terminal.js';

/**
 * The signals that stop the program. mpirun passes SIGUSR2 on at once and does not end the job; after SIGINT or SIGTERM
 * it gives the ranks about a second. SIGHUP comes when the terminal goes away. SIGBREAK exists on Windows only.
 */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2', 'SIGBREAK'] as const;

/**
 * One Ctrl-C may arrive several times: the terminal signals the whole process group, and the launcher and npm pass the
 * signal on. Signals within this time count as one.
 */
const ONE_REQUEST_MS = 2000;

/** Error codes of a stream whose reader is gone. A terminal that went away gives EIO. */
const UNREAD = ['EPIPE', 'EIO', 'ENXIO', 'ECONNRESET', 'ENOTCONN', 'ERR_STREAM_DESTROYED'];

const terminal = new Terminal(process.stdout, process.stderr, process.env);

/**
 * Turns Commander's error about a wrong command line into a PseudolabelError. Returns undefined if Commander only
 * showed the help or the version.
 */
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
      // The loss of the terminal is not a second Ctrl-C.
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
  // A disconnect means that the launcher was killed. Nobody else knows of this process, so it stops itself.
  process.on('disconnect', () => stop());
  process.channel?.unref();
  return controller.signal;
}

function fail(error: unknown): number {
  terminal.explain(error);
  return exitCodeOf(error);
}

// The reader of the output may be gone (`| head`, a terminal), or its disk may be full. The run goes on in both cases.
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
