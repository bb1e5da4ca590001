// Reads the texts of README.md and docs/, and the command lines in them.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

export interface Text {
  /** The path relative to the repository. */
  readonly path: string;
  readonly text: string;
}

/** A block of commands for a shell. */
export interface Block {
  readonly path: string;
  readonly line: number;
  readonly text: string;
  /** The reason why a test cannot run the block, which stands after `sh skip:`; undefined if it can. */
  readonly reason: string | undefined;
}

export const TEXTS: readonly Text[] = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map((name) => `docs/${name}`),
].map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

export function blocksOf({ path, text }: Text): Block[] {
  return Array.from(text.matchAll(/^```sh(?: skip: (.+))?\n([\s\S]*?)^```$/gm), ({ index, 1: reason, 2: block }) => ({
    path,
    reason,
    text: block!,
    line: text.slice(0, index).split('\n').length + 1,
  }));
}

/**
 * Returns the words of each call of the program in a text for a shell, without redirections. Leaves out comments and
 * other commands.
 */
export function callsIn(text: string): string[][] {
  const lines = text.replaceAll('\\\n', ' ').split('\n');
  return lines.flatMap((line) =>
    line.split(/&&|\|(?=\s)/).flatMap((command) => {
      const words = wordsOf(command);
      const at = words.indexOf('pseudolabel');
      if (at < 0) return [];
      const rest = words.slice(words[at + 1] === '--' ? at + 2 : at + 1);
      const redirected = rest.findIndex((word) => word.startsWith('>'));
      return [redirected < 0 ? rest : rest.slice(0, redirected)];
    }),
  );
}

function wordsOf(command: string): string[] {
  const words = Array.from(command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g), ([, one, two, bare]) => one ?? two ?? bare!);
  const comment = words.findIndex((word) => word.startsWith('#'));
  return comment < 0 ? words : words.slice(0, comment);
}
