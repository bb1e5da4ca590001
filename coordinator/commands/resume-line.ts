// The command line by which a run goes on, for whoever stopped it or met a failure: what this start of the program was given, again.
import type { Command } from 'commander';
import { PseudolabelError } from '../../src/errors.js';
import { optionsSchema } from '../../src/training/config.js';
import type { Context } from './options.js';

/** What the directory of a run or a reproduction remembers by itself, and what a second start is not to do again. */
const NOT_AGAIN: ReadonlySet<string> = new Set([
  ...Object.keys(optionsSchema.shape),
  ...['out', 'config', 'resume', 'scenarios', 'splits', 'loseWorker', 'stallWorker'],
]);

/** typed: the words of the command line, the command's name first. */
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

/** The same error; where its remedy is to go on, with the line that does so. */
export function withResumeLine(error: unknown, command: Command, folder: string, { invocation }: Context): unknown {
  if (!(error instanceof PseudolabelError)) return error;
  const line = invocation.line(resumeArgs(command, invocation.typed, folder));
  const { code, message, fix } = error;
  if (code === 'E_INTERRUPTED') return new PseudolabelError(code, message, `go on with: ${line}`, { cause: error });
  return fix.endsWith('--resume') ? new PseudolabelError(code, message, `${fix}: ${line}`, { cause: error }) : error;
}
