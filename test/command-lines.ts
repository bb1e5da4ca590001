// Finds the command lines of `pseudolabel` in texts that people copy from, and reads them with the program itself.
import type { Command } from 'commander';
import { programOf } from '../coordinator/commands/program.js';
import { contextFor, terminalWith } from './unit/terminal/streams.js';

/** The arguments of `pseudolabel`. */
export type CommandLine = readonly string[];

/** Stands for a value that only a shell would know. It is a number, because some options need one. */
const SOME_VALUE = '7';
const KNOWN: Record<string, string> = { way: '--resume' };

/** Replaces variables, calculations and expansions of Kubernetes by some value. Leaves out what is passed on ("$@"). */
const expanded = (text: string): string =>
  text
    .replace(/"\$@"/g, '')
    .replace(/\$\(\(.*?\)\)|\$\(\w+\)|\$\{\w+\}|\$(\w+)/g, (_, name) => KNOWN[name] ?? SOME_VALUE);

/** Returns the words of a command, up to where the shell begins another one or a comment. */
export function wordsOf(text: string): string[] {
  const [command] = expanded(text).split(/\s(?:#|&&|\|\|?|;|>>?)\s|[`;)]/);
  const words = Array.from(command!.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']+)/g), ([, a, b, c]) => (a ?? b ?? c)!);
  return words.filter((word) => word !== '...');
}

/** Returns the arguments of `pseudolabel`. Our script calls `train`. */
export function argumentsOf([program, ...args]: readonly string[]): CommandLine {
  if (!program!.endsWith('coordinator.sh')) return args[0] === '--' ? args.slice(1) : args;
  const [directory, ...rest] = args;
  return ['train', '--out', directory!, ...rest];
}

/** Returns what is indented, fenced or quoted on a page. */
export function codeOn(page: string): string {
  const indented = page.split('\n').filter((line) => line.startsWith('    '));
  const fenced = Array.from(page.matchAll(/^```sh[^\n]*\n([\s\S]*?)^```/gm), ([, code]) => code!);
  return [...indented, ...fenced, ...Array.from(page.matchAll(/`([^`\n]+)`/g), ([, code]) => code!)].join('\n');
}

/** Finds the command lines in a shell script. */
export function commandLinesIn(text: string): CommandLine[] {
  const whole = text.replace(/\\\n\s*/g, '');
  const found = whole.matchAll(/^(?!#).*?(?<=[\s`'"=/]|^)((?:pseudolabel|coordinator\.sh)(?=["\s])[^\n]*)/gm);
  return Array.from(found, ([, command]) => argumentsOf(wordsOf(command!.replace(/^([\w.]+)"/, '$1')))).filter(
    ([first]) => first !== undefined && /^[a-z-]+$/.test(first),
  );
}

export interface Parsed {
  readonly name: string;
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Parses a command line with the program, without running it. Throws commander's error about an option or argument that
 * it does not have.
 */
export async function parsed(line: CommandLine): Promise<Parsed> {
  const program = programOf(contextFor(terminalWith(false).terminal), async () => undefined);
  let result: Parsed | undefined;
  for (const command of program.commands) {
    command.action((...given: unknown[]) => {
      const called = given.at(-1) as Command;
      result = { name: called.name(), args: called.args, options: called.opts() };
    });
  }
  await program.parseAsync(line, { from: 'user' });
  return result!;
}
