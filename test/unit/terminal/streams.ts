// Makes a terminal for tests. What is written to its two streams can be read.
import type { Context } from '../../../coordinator/commands/options.js';
import { Terminal } from '../../../coordinator/terminal/terminal.js';

interface Written {
  readonly terminal: Terminal;
  stdout(): string;
  stderr(): string;
}

export function terminalWith(isTTY: boolean, env: NodeJS.ProcessEnv = {}, columns = 120): Written {
  const streams = [[], []] as [string[], string[]];
  const [stdout, stderr] = streams.map((texts) => ({ isTTY, columns, write: (text: string) => texts.push(text) }));
  return {
    terminal: new Terminal(stdout!, stderr!, env),
    stdout: () => streams[0].join(''),
    stderr: () => streams[1].join(''),
  };
}

/** Returns the context of a command, as if the program were on the path and called with these words. */
export function contextFor(
  terminal: Terminal,
  typed: readonly string[] = [],
  signal = new AbortController().signal,
): Context {
  const line = (args: readonly string[]) => ['pseudolabel', ...args].join(' ');
  return { terminal, signal, invocation: { typed, line, lineElsewhere: line }, goesOn: () => undefined };
}
