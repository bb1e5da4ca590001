// Lists and removes the files that this program keeps between two starts: caches, and the secrets of coordinators. It
// knows them all by name and touches nothing else.
import { lstat, readdir, realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../src/data/cache.js';
import { PseudolabelError } from '../src/errors.js';
import { whyNotRead } from '../src/files/read.js';
import { removeEmptyFolder, removeTree } from '../src/files/remove.js';
import { isSystemError } from '../src/files/write-errors.js';
import { stateDirectory } from './server/secrets.js';

/**
 * images: decoded images; libraries: TensorFlow as set-up prepared it, and compiled products; tools: what tests and
 * benches need; secrets: tokens and the certificate.
 */
export type KeptKind = 'images' | 'libraries' | 'tools' | 'secrets';

export interface Kept {
  readonly kind: KeptKind;
  readonly path: string;
  readonly bytes: number;
  /** What needs the file. If undefined, the program makes the file again when it is missing. */
  readonly neededBy: string | undefined;
}

export interface Inventory {
  readonly kept: readonly Kept[];
  /** Paths in the program's folders that are not its own. */
  readonly unknown: readonly string[];
}

/** The ending of a file that was being written when its process was killed. */
const LEFT = '(?:\\.tmp(?:-[0-9a-f]{8})?)?';
const ours = (pattern: string): RegExp => new RegExp(`^${pattern}${LEFT}$`);

const THIS = 'this installation, which cannot train without it until set-up has run again';
const NODES = 'nodes that join: a new one is made, which has to be copied to them';
const SETUP = 'the next set-up, which compiles it again';

interface Rule {
  readonly name: RegExp;
  readonly kind: KeptKind;
  readonly type: 'file' | 'folder';
  readonly neededBy?: (path: string) => Promise<string | undefined>;
}

/** The names that the program uses in the folders that are its own. */
const RULES: Readonly<Record<'cache' | 'images' | 'state', readonly Rule[]>> = {
  cache: [
    { name: ours('tensorflow-[\\w.-]+'), kind: 'libraries', type: 'folder', neededBy: usedHere },
    { name: ours('products-[0-9a-f]{16}\\.node'), kind: 'libraries', type: 'file', neededBy: async () => SETUP },
    { name: /^products-\w{6}$/, kind: 'libraries', type: 'folder' },
    { name: /^(?:test-tensorboard|test-keras|peers)$/, kind: 'tools', type: 'folder' },
  ],
  images: [{ name: ours('[0-9a-f]{64}\\.images'), kind: 'images', type: 'file' }],
  state: [
    {
      name: ours('(?:token|dashboard-token|coordinator\\.pem)'),
      kind: 'secrets',
      type: 'file',
      neededBy: async () => NODES,
    },
  ],
};

/** A set-up whose lock was touched within this time is running. It touches its lock every two seconds. */
const AT_WORK_MS = 15_000;
const LOCK = 'setup.lock';

/**
 * Lists what is kept. Throws E_LOCKED if a set-up is writing to the cache, and E_OUTPUT if a folder cannot be read.
 * @param images the folder of decoded images; defaults to that in the user's cache
 */
export async function keptFiles(env: NodeJS.ProcessEnv = process.env, images = cacheFolder(env)): Promise<Inventory> {
  const cache = dirname(cacheFolder(env));
  const lock = await lstat(join(cache, LOCK)).catch(() => undefined);
  if (lock && Date.now() - lock.mtimeMs < AT_WORK_MS)
    throw new PseudolabelError('E_LOCKED', `a set-up is at work in ${cache}`, 'wait until it has ended');
  const found = await Promise.all([
    inFolder(cache, RULES.cache, ['images', LOCK]),
    inFolder(images, RULES.images),
    inFolder(stateDirectory(env), RULES.state),
  ]);
  return { kept: found.flatMap(({ kept }) => kept), unknown: found.flatMap(({ unknown }) => unknown) };
}

async function inFolder(folder: string, rules: readonly Rule[], others: readonly string[] = []): Promise<Inventory> {
  const kept: Kept[] = [];
  const unknown: string[] = [];
  for (const item of await itemsIn(folder)) {
    if (others.includes(item.name)) continue;
    const path = join(folder, item.name);
    // The program makes no links, so a link matches no rule.
    const rule = rules.find(
      ({ name, type }) => name.test(item.name) && (type === 'file' ? item.isFile() : item.isDirectory()),
    );
    if (!rule) unknown.push(path);
    else kept.push({ kind: rule.kind, path, bytes: await bytesOf(path), neededBy: await rule.neededBy?.(path) });
  }
  return { kept, unknown };
}

async function itemsIn(folder: string) {
  try {
    return (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return [];
    const fix = 'check who may read it, and XDG_CACHE_HOME and XDG_STATE_HOME';
    throw new PseudolabelError('E_OUTPUT', `${folder} cannot be read: ${whyNotRead(error)}`, fix, { cause: error });
  }
}

/** Returns the bytes of a file, or of all files in a folder. A link counts on its own; what it points to does not. */
async function bytesOf(path: string): Promise<number> {
  const found = await lstat(path).catch(() => undefined); // it may be gone
  if (!found?.isDirectory()) return found?.size ?? 0;
  let bytes = 0;
  for (const name of await readdir(path).catch(() => [])) bytes += await bytesOf(join(path, name));
  return bytes;
}

async function usedHere(path: string): Promise<string | undefined> {
  try {
    const tfjsNode = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node/package.json'));
    return (await realpath(join(tfjsNode, 'deps', 'lib'))) === join(await realpath(path), 'lib') ? THIS : undefined;
  } catch {
    return undefined;
  }
}

/** Removes these files, then those of their folders that are empty. Throws E_OUTPUT. */
export async function removeKept(kept: readonly Kept[]): Promise<void> {
  for (const { path } of kept) await removeTree(path);
  const folders = new Set(kept.map(({ path }) => dirname(path)));
  for (const folder of folders) await removeEmptyFolder(folder);
}
