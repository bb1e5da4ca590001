// Looks at the folder that a command is told to write to, before anything is loaded: one that is in use is refused. Files: ../outputs.ts.
import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { PseudolabelError } from '../../src/errors.js';
import type { Context } from './options.js';

/** 'new': it is not there yet, or is empty. */
export const OUT_FOLDERS: Readonly<Record<string, 'new' | 'any'>> = { train: 'new', reproduce: 'new', scaling: 'any' };

/** By what is in a folder, the command that goes on with it. */
const GOES_ON = [
  ['config.json', 'train'],
  ['reproduction.json', 'reproduce'],
] as const;

/** Throws E_USAGE. */
export async function checkOutFolder(command: Command, { invocation }: Context): Promise<void> {
  const kind = OUT_FOLDERS[command.name()];
  const { out } = command.opts<{ out?: string }>();
  if (kind === undefined || out === undefined) return;
  const usage = (message: string, fix: string) => new PseudolabelError('E_USAGE', `--out ${out}: ${message}`, fix);
  const file = await fileOn(out);
  if (file !== undefined) throw usage(`${file === resolve(out) ? 'it' : file} is a file`, 'give the path of a folder');
  if (kind === 'any') return;
  const names = await readdir(out).catch((): string[] => []); // it is not there, or whoever writes to it will say why that cannot be
  if (names.length === 0) return;
  const other = GOES_ON.find(([name]) => names.includes(name));
  const line = other && invocation.line([other[1], '--resume', out]);
  throw usage(
    'it is not empty',
    `give another --out${line === undefined ? '' : `, or go on with what is there: ${line}`}`,
  );
}

/** The part of a path that is there and is not a folder. */
async function fileOn(path: string): Promise<string | undefined> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const found: Stats | undefined = await stat(folder).catch(() => undefined);
    if (found) return found.isDirectory() ? undefined : folder;
    if (folder === dirname(folder)) return undefined;
  }
}
