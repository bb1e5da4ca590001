// Checks where a command writes, before it begins: a folder that is in use is refused, and no file may replace what the
// command reads, what a run keeps, or another result.
import { existsSync, type Stats } from 'node:fs';
import { access, constants, readdir, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { PseudolabelError } from '../../src/errors.js';
import { destinationOf, identityOf, realPathOf } from '../../src/files/destination.js';
import { readJson } from '../../src/files/read.js';
import { cannotWrite } from '../../src/files/write-errors.js';
import { isRunFile } from '../runs/run-directory.js';
import type { Context } from './options.js';

/** A path, and how the user named it: '--json'. */
interface NamedPath {
  readonly name: string;
  readonly path: string;
}

interface Paths {
  /** Files to be written. */
  readonly outputs: readonly NamedPath[];
  /** Files that are read, and folders whose files are. */
  readonly inputs: readonly NamedPath[];
  /** Folders to be written, of a run say. They may not be there yet. */
  readonly folders: readonly NamedPath[];
}

/** Options that name a file to write, or with `out` a folder. All other options with a path are for reading. */
const WRITTEN = ['json', 'trace', 'out', 'reviewPage', 'page', 'sheet', 'sortInto'];
const SORTED = '--sort-into';
const TAKES_PATH = /[<[](file|dir|path)[>\]]/;

/** The files in our folders besides those of runs. */
const OURS = /^((reproduction|reproduce|scaling|sweep|sweep-result|lock)\.json|events\.out\..*)$/;
/** So deep is looked for links: a folder may hold millions of files. */
const DEEPEST = 2;

/** The paths that a command was given: those of options that take a file or a folder, and its arguments. */
export function pathsOf(command: Command): Paths {
  const values: Readonly<Record<string, unknown>> = command.opts();
  const given = command.options.flatMap((option) => {
    const value = values[option.attributeName()];
    const [, kind] = TAKES_PATH.exec(option.flags) ?? [];
    if (typeof value !== 'string' || value === '-' || kind === undefined) return [];
    return [{ name: option.long!, path: value, kind, isWritten: WRITTEN.includes(option.attributeName()) }];
  });
  const args = command.args.map((path, i) => ({ name: basename(path), path, isWritten: isOutput(command, i) }));
  const outputs = [
    ...given.filter(({ kind, isWritten }) => isWritten && kind === 'file'),
    ...args.filter(({ isWritten }) => isWritten),
  ];
  const inputs = [
    ...given.filter(({ isWritten }) => !isWritten),
    ...args.filter(({ isWritten }) => !isWritten), // an address is no path, and then nothing is there
  ];
  const folders = given.filter(({ kind, isWritten }) => isWritten && kind === 'dir');
  return { outputs, inputs, folders };
}

/** Whether the argument at a position names a file to write. */
export const isOutput = (command: Command, position: number): boolean =>
  command.registeredArguments[position]?.name() === 'out';

/** Throws E_USAGE for an output that would replace something, and E_OUTPUT for one that cannot be written. */
export async function checkPaths({ outputs, inputs, folders }: Paths): Promise<void> {
  const seen = new Map<string, string>();
  for (const folder of folders.filter(({ name }) => name === SORTED)) await checkOutside(folder, inputs);
  for (const { name, path } of outputs) {
    try {
      const destination = await destinationOf(path);
      if (destination.kind === 'folder') throw isFolder();
      if (destination.kind !== 'file') continue;
      await checkWritable(destination.path);
      const identity = await identityOf(path);
      const other = seen.get(identity);
      if (other !== undefined) throw refused(`${name} ${path}`, `the file that ${other} writes`);
      seen.set(identity, name);
      for (const folder of [...folders, ...inputs.filter((input) => isOurs(input.path))]) {
        if (await isKeptIn(folder.path, destination.path))
          throw refused(`${name} ${path}`, `a file that belongs to ${folder.path}`);
      }
      if (destination.mode === undefined) continue; // it is not there: nothing reads it
      for (const input of inputs) {
        if (await isReadFrom(input.path, destination.path, identity))
          throw refused(`${name} ${path}`, `what the command reads (${input.name} ${input.path})`);
      }
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }
}

/** Images in folders of classes, within the data, would be the data of the next training. */
async function checkOutside({ name, path }: NamedPath, inputs: readonly NamedPath[]): Promise<void> {
  const read = inputs.map((input) => (isOurs(input.path) ? readBy(input.path) : [input.path]));
  for (const data of (await Promise.all(read)).flat())
    if (isWithin(await realPathOf(data), await realPathOf(path)))
      throw new PseudolabelError(
        'E_USAGE',
        `${name} ${path} lies in the data (${data}): its folders would be read as classes`,
        'give a folder elsewhere',
      );
}

function refused(what: string, instead: string): PseudolabelError {
  return new PseudolabelError('E_USAGE', `${what} would replace ${instead}`, 'give another path');
}

const isFolder = (): Error => Object.assign(new Error('EISDIR: it is a folder'), { code: 'EISDIR', syscall: 'open' });

/** Now, not when the work is done. Throws what the system says. path: behind all links. */
async function checkWritable(path: string): Promise<void> {
  let folder = dirname(path);
  while (folder !== dirname(folder) && !existsSync(folder)) folder = dirname(folder);
  await access(join(folder, sep), constants.W_OK); // the separator: a file in a folder's place is told as such
}

/** Whether the path, behind all links, is that of a file that one of our folders keeps or will keep. */
async function isKeptIn(folder: string, path: string): Promise<boolean> {
  const way = relative(await realPathOf(folder), path);
  const name = basename(path);
  return (isRunFile(name) || OURS.test(name)) && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

const isOurs = (folder: string): boolean =>
  ['config.json', 'reproduction.json', 'sweep.json', 'scaling.json', 'model.json'].some((name) =>
    existsSync(join(folder, name)),
  );

/** Whether a file that is there is one of an input: it lies anywhere in its folder, or a link there leads to it. A run reads its data, too. */
async function isReadFrom(input: string, file: string, identity: string): Promise<boolean> {
  if (isOurs(input)) {
    // What a run keeps is told by its name: results of earlier commands may lie beside it.
    const read = await readBy(input);
    return (await Promise.all(read.map((path) => isReadFrom(path, file, identity)))).includes(true);
  }
  return isWithin(await realPathOf(input), file) || (await identitiesIn(input)).has(identity);
}

const isWithin = (folder: string, path: string): boolean => path.startsWith(`${folder}${sep}`);

/** Of files, and what links to files lead to, in a folder and those in it. */
async function identitiesIn(path: string, depth = 0): Promise<Set<string>> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (!found) return new Set();
  if (!found.isDirectory()) return new Set([`${found.dev}:${found.ino}`]);
  if (depth > DEEPEST) return new Set();
  const names = await readdir(path);
  const inside = await Promise.all(names.map((name) => identitiesIn(join(path, name), depth + 1)));
  return new Set(inside.flatMap((identities) => [...identities]));
}

/** The data set of a run, and its file of labels. folder: of the run, or of its model. */
async function readBy(folder: string): Promise<string[]> {
  const run = basename(resolve(folder)) === 'model' ? dirname(resolve(folder)) : folder;
  try {
    const { data, labels } = (await readJson(join(run, 'config.json'))) as { data?: unknown; labels?: unknown };
    return [data, labels].filter((path) => typeof path === 'string');
  } catch {
    return []; // whoever reads it says what is wrong
  }
}

/** 'new': it is not there yet, or is empty. */
export const OUT_FOLDERS: Readonly<Record<string, 'new' | 'any'>> = {
  train: 'new',
  reproduce: 'new',
  sweep: 'new',
  scaling: 'any',
};

/** The file by which a folder is known, and the command that resumes it. */
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

/** The part of a path that exists and is not a folder. */
async function fileOn(path: string): Promise<string | undefined> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const found: Stats | undefined = await stat(folder).catch(() => undefined);
    if (found) return found.isDirectory() ? undefined : folder;
    if (folder === dirname(folder)) return undefined;
  }
}
