// Checks the paths that a command writes to, before it begins. A folder that is in use is refused. No file may replace
// what the command reads, what a run keeps, or another result.
import { existsSync, type Stats } from 'node:fs';
import { access, constants, readdir, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import type { Command } from 'commander';
import { FOLDER } from '../../src/data/sources/folder.js';
import { sourceFor } from '../../src/data/sources/sources.js';
import { PseudolabelError } from '../../src/errors.js';
import { destinationOf, identityOf, realPathOf } from '../../src/files/destination.js';
import { readJson } from '../../src/files/read.js';
import { cannotWrite } from '../../src/files/write-errors.js';
import { isRunFile } from '../runs/run-directory.js';
import type { Context } from './options.js';

/** A path, and the name of the option that gave it, such as '--json'. */
interface NamedPath {
  readonly name: string;
  readonly path: string;
}

interface Paths {
  /** Files that are written. */
  readonly outputs: readonly NamedPath[];
  /** Files that are read, and folders whose files are read. */
  readonly inputs: readonly NamedPath[];
  /** Folders that are written, for example of a run. They may not exist yet. */
  readonly folders: readonly NamedPath[];
}

/** Options that name a file to write or, like `out`, a folder to write. All other options with a path are read. */
const WRITTEN = ['json', 'trace', 'out', 'reviewPage', 'page', 'sheet', 'sortInto'];
/** An option that writes a picture. */
const SHEET = '--sheet';
const TAKES_PATH = /[<[](file|dir|path)[>\]]/;

/** The files in this program's folders besides those of runs. */
const OURS = /^((reproduction|reproduce|scaling|sweep|sweep-result|lock)\.json|events\.out\..*)$/;
/** The most levels of folders in which links are searched. A folder may hold millions of files. */
const DEEPEST = 2;

/** Returns the paths that a command was given: those of options that take a file or a folder, and its arguments. */
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
    ...args.filter(({ isWritten }) => !isWritten), // An address is not a path; nothing exists there.
  ];
  const folders = given.filter(({ kind, isWritten }) => isWritten && kind === 'dir');
  return { outputs, inputs, folders };
}

/** Returns whether the argument at this position names a file to write. */
export const isOutput = (command: Command, position: number): boolean =>
  command.registeredArguments[position]?.name() === 'out';

/** Throws E_USAGE for an output that would replace something, and E_OUTPUT for one that cannot be written. */
export async function checkPaths({ outputs, inputs, folders }: Paths): Promise<void> {
  const seen = new Map<string, string>();
  for (const folder of folders) await checkOutside(folder, inputs);
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
      if (destination.mode === undefined) continue; // Nothing reads a file that does not exist.
      for (const input of inputs) {
        if (await isReadFrom(input.path, destination.path, identity))
          throw refused(`${name} ${path}`, `what the command reads (${input.name} ${input.path})`);
      }
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }
  for (const sheet of outputs.filter(({ name }) => name === SHEET)) await checkOutside(sheet, inputs);
}

/**
 * Throws E_USAGE for a folder or a picture within a folder of pictures, because the next training would read it as
 * images or as a class. Data of other formats are read by the names of their files.
 */
async function checkOutside({ name, path }: NamedPath, inputs: readonly NamedPath[]): Promise<void> {
  const given = inputs.filter((input) => input.name === '--data' || !input.name.startsWith('--'));
  const read = given.map((input) => (isOurs(input.path) ? readBy(input.path) : [input.path]));
  for (const data of (await Promise.all(read)).flat())
    if (isWithin(await realPathOf(data), await realPathOf(path)) && (await isOfPictures(data)))
      throw new PseudolabelError(
        'E_USAGE',
        `${name} ${path} lies in the data (${data}): the next command would read it as images`,
        'give a path elsewhere',
      );
}

async function isOfPictures(data: string): Promise<boolean> {
  const source = await sourceFor(data).catch(() => undefined); // The code that reads the data reports what is wrong.
  return source === FOLDER;
}

function refused(what: string, instead: string): PseudolabelError {
  return new PseudolabelError('E_USAGE', `${what} would replace ${instead}`, 'give another path');
}

const isFolder = (): Error => Object.assign(new Error('EISDIR: it is a folder'), { code: 'EISDIR', syscall: 'open' });

/**
 * Checks now, and not when the work is done, that the path can be written. Throws the error of the system. path: with
 * all links resolved.
 */
async function checkWritable(path: string): Promise<void> {
  let folder = dirname(path);
  while (folder !== dirname(folder) && !existsSync(folder)) folder = dirname(folder);
  await access(join(folder, sep), constants.W_OK); // The separator makes a file here an error.
}

/**
 * Returns whether the path, with all links resolved, is that of a file which one of this program's folders keeps or
 * will keep.
 */
async function isKeptIn(folder: string, path: string): Promise<boolean> {
  const way = relative(await realPathOf(folder), path);
  const name = basename(path);
  return (isRunFile(name) || OURS.test(name)) && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

const isOurs = (folder: string): boolean =>
  ['config.json', 'reproduction.json', 'sweep.json', 'scaling.json', 'model.json'].some((name) =>
    existsSync(join(folder, name)),
  );

/**
 * Returns whether an existing file belongs to an input: it is in the input's folder, or a link in that folder leads to
 * it. A run also reads its data.
 */
async function isReadFrom(input: string, file: string, identity: string): Promise<boolean> {
  if (isOurs(input)) {
    // The files of a run are recognised by their names, because results of earlier commands may be beside them.
    const read = await readBy(input);
    return (await Promise.all(read.map((path) => isReadFrom(path, file, identity)))).includes(true);
  }
  return isWithin(await realPathOf(input), file) || (await identitiesIn(input)).has(identity);
}

const isWithin = (folder: string, path: string): boolean => path.startsWith(`${folder}${sep}`);

/** Returns the identities of the files in a folder and in those below it, including files that links lead to. */
async function identitiesIn(path: string, depth = 0): Promise<Set<string>> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  if (!found) return new Set();
  if (!found.isDirectory()) return new Set([`${found.dev}:${found.ino}`]);
  if (depth > DEEPEST) return new Set();
  const names = await readdir(path);
  const inside = await Promise.all(names.map((name) => identitiesIn(join(path, name), depth + 1)));
  return new Set(inside.flatMap((identities) => [...identities]));
}

/** Returns the paths of a run's data set and of its file of labels. folder: that of the run, or of its model. */
async function readBy(folder: string): Promise<string[]> {
  const run = basename(resolve(folder)) === 'model' ? dirname(resolve(folder)) : folder;
  try {
    const { data, labels } = (await readJson(join(run, 'config.json'))) as { data?: unknown; labels?: unknown };
    return [data, labels].filter((path) => typeof path === 'string');
  } catch {
    return []; // The code that reads the file will report what is wrong.
  }
}

/** 'new': the folder must not exist, or must be empty. */
export const OUT_FOLDERS: Readonly<Record<string, 'new' | 'any'>> = {
  train: 'new',
  reproduce: 'new',
  sweep: 'new',
  scaling: 'any',
};

/** The file that shows what a folder is, and the command that resumes it. */
const GOES_ON = [
  ['config.json', 'train'],
  ['reproduction.json', 'reproduce'],
] as const;

/** Throws E_USAGE if --out is not a folder that the command may write. */
export async function checkOutFolder(command: Command, { invocation }: Context): Promise<void> {
  const kind = OUT_FOLDERS[command.name()];
  const { out } = command.opts<{ out?: string }>();
  if (kind === undefined || out === undefined) return;
  const usage = (message: string, fix: string) => new PseudolabelError('E_USAGE', `--out ${out}: ${message}`, fix);
  const file = await fileOn(out);
  if (file !== undefined) throw usage(`${file === resolve(out) ? 'it' : file} is a file`, 'give the path of a folder');
  if (kind === 'any') return;
  const names = await readdir(out).catch((): string[] => []); // What writes there reports errors.
  if (names.length === 0) return;
  const other = GOES_ON.find(([name]) => names.includes(name));
  const line = other && invocation.line([other[1], '--resume', out]);
  throw usage(
    'it is not empty',
    `give another --out${line === undefined ? '' : `, or go on with what is there: ${line}`}`,
  );
}

/** Returns the part of a path that exists and is not a folder. */
async function fileOn(path: string): Promise<string | undefined> {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const found: Stats | undefined = await stat(folder).catch(() => undefined);
    if (found) return found.isDirectory() ? undefined : folder;
    if (folder === dirname(folder)) return undefined;
  }
}
