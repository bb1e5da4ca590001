// A terminal for tests: what is written to its two streams can be read.
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
