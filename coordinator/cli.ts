// Owns the process of `pseudolabel`: its signals, its exit code, what it says of a failure.
import { CommanderError } from 'commander';
import { exitCodeOf, PseudolabelError } from '../src/errors.js';
import { invocationHere } from './invocation.js';
import { programOf } from './program.js';
import { Terminal } from './terminal/terminal.js';

/** SIGUSR2 is what mpirun passes on at once and without ending the job; at SIGINT and SIGTERM it gives ranks a second or so. */
const STOPPING = ['SIGINT', 'SIGTERM', 'SIGUSR2'] as const;

/** A signal to our process group reaches us twice: by itself, and from the launcher. */
const ONE_REQUEST_MS = 300;

const terminal = new Terminal(process.stdout, process.stderr, process.env);

/** What commander says of a wrong command line, as one of our errors; undefined where it only showed help or the version. */
function usageError({ code, exitCode, message }: CommanderError): PseudolabelError | undefined {
  if (exitCode === 0) return undefined;
  if (code === 'commander.help')
    return new PseudolabelError('E_USAGE', 'no command given', 'name one of the commands above');
  const [, problem, suggestion] = /^(?:error: )?(.*?)(?:\s*\((Did you mean .*)\))?$/s.exec(message)!;
  return new PseudolabelError('E_USAGE', problem!, suggestion ?? 'add --help to see what is possible');
}

/** The first signal asks to stop when everything is saved, the second one stops. */
function stopOnSignal(): AbortSignal {
  const controller = new AbortController();
  let asked = 0;
  const stop = (): void => {
    const now = performance.now();
    if (controller.signal.aborted) {
      if (now - asked > ONE_REQUEST_MS) process.exit(130);
      return;
    }
    asked = now;
    terminal.note('stopping; Ctrl-C again stops at once');
    controller.abort(new PseudolabelError('E_INTERRUPTED', 'stopped before it was done', 'start it again'));
  };
  for (const name of STOPPING) process.on(name, stop);
  // The launcher was killed: whoever did so knows no other process that could be stopped.
  process.on('disconnect', stop);
  process.channel?.unref();
  return controller.signal;
}

function fail(error: unknown): number {
  terminal.explain(error);
  return exitCodeOf(error);
}

// Whoever reads us may have gone (`| head`): a run is not lost for that.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
process.on('uncaughtException', (error) => process.exit(fail(error)));
try {
  await programOf({ terminal, signal: stopOnSignal(), invocation: invocationHere() }).parseAsync();
} catch (error) {
  const told = error instanceof CommanderError ? usageError(error) : error;
  if (told !== undefined) process.exitCode = fail(told);
}
