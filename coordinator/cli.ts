// Runs the process of `pseudolabel`: handles its signals, sets its exit code and prints its errors.
import { CommanderError } from 'commander';
import { exitCodeOf, PseudolabelError } from '../src/errors.js';
import { cannotWrite } from '../src/files/write-errors.js';
import { invocationHere } from './commands/invocation.js';
import type { Context } from './commands/options.js';
import { programOf } from './commands/program.js';
import { stopOnSignal } from './signals.js';
import { Terminal } from './terminal/terminal.js';

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
  const signal = stopOnSignal((text) => terminal.note(text));
  const goesOn: Context['goesOn'] = (folder, line) => void process.send?.({ folder, line });
  await programOf({ terminal, signal, invocation: invocationHere(), goesOn }).parseAsync();
} catch (error) {
  const told = error instanceof CommanderError ? usageError(error) : error;
  if (told !== undefined) process.exitCode = fail(told);
}
