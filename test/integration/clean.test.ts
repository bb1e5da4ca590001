// Tests which files in caches and state are found, named and removed, and that no others are.
import { mkdir, readdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { type Kept, keptFiles, removeKept } from '../../coordinator/kept-files.js';
import { stateDirectory } from '../../coordinator/server/secrets.js';
import { cacheFolder } from '../../src/data/cache.js';
import { folderOfFile } from '../folders.js';

const root = folderOfFile('clean');
let number = 0;
let env: NodeJS.ProcessEnv;
let cache: string;
let state: string;

const put = async (path: string, bytes: number): Promise<void> => {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, new Uint8Array(bytes));
};
const IMAGES = `${'0a'.repeat(32)}.images`;

beforeEach(async () => {
  const here = join(root, String(number++));
  env = { XDG_CACHE_HOME: join(here, 'cache'), XDG_STATE_HOME: join(here, 'state') };
  cache = join(here, 'cache', 'pseudolabel');
  state = stateDirectory(env);
  await put(join(cacheFolder(env), IMAGES), 1000);
  await put(join(cacheFolder(env), `${IMAGES}.tmp-0123abcd`), 10);
  await put(join(cache, 'tensorflow-1.0.0-tfjs-node-4.22.0-linux-x64-1', 'lib', 'a.so'), 300);
  await put(join(cache, 'products-0123456789abcdef.node'), 40);
  await put(join(cache, 'test-tensorboard', 'bin', 'python'), 5);
  await put(join(state, 'token'), 65);
  await put(join(state, 'coordinator.pem'), 100);
});

const names = (found: readonly { readonly path: string }[]) => found.map(({ path }) => path.split('/').at(-1)).sort();

it('is found with its size and who needs it', async () => {
  const { kept, unknown } = await keptFiles(env);
  const found: Record<string, Kept> = Object.fromEntries(kept.map((each) => [each.path.split('/').at(-1), each]));
  expect(Object.values(found).map(({ kind, bytes }) => [kind, bytes])).toEqual([
    ...[['libraries', 40]],
    ...[['libraries', 300]],
    ...[['tools', 5]],
    ...[['images', 1000]],
    ...[['images', 10]],
    ...[['secrets', 100]],
    ...[['secrets', 65]],
  ]);
  expect(found.token?.neededBy).toContain('nodes');
  expect(found[IMAGES]?.neededBy).toBeUndefined();
  // This is another version than that of this installation.
  expect(found['tensorflow-1.0.0-tfjs-node-4.22.0-linux-x64-1']?.neededBy).toBeUndefined();
  expect(unknown).toEqual([]);
});

it('is removed, and nothing else: files of others, links, and what they lead to', async () => {
  const strange = [join(cache, 'mine'), join(cacheFolder(env), 'holiday.images'), join(state, 'token.old')];
  for (const path of strange) await put(path, 7);
  const elsewhere = join(root, 'elsewhere');
  await put(join(elsewhere, 'file'), 7);
  await symlink(elsewhere, join(cache, 'tensorflow-2.0.0-tfjs-node-4.22.0-linux-x64-1'));
  await symlink(join(elsewhere, 'file'), join(cacheFolder(env), `${'1b'.repeat(32)}.images`));
  await symlink(elsewhere, join(cache, 'tensorflow-1.0.0-tfjs-node-4.22.0-linux-x64-1', 'link'));
  const { kept, unknown } = await keptFiles(env);
  expect(kept).toHaveLength(7);
  expect(unknown).toHaveLength(5);
  expect(unknown).toEqual(expect.arrayContaining(strange));
  await removeKept(kept);
  const left = await keptFiles(env);
  expect(left).toEqual({ kept: [], unknown });
  expect(names([{ path: join(elsewhere, 'file') }])).toEqual(await readdir(elsewhere));
});

it('leaves no empty folder of ours, and nothing at all is nothing', async () => {
  await removeKept((await keptFiles(env)).kept);
  await expect(readdir(state)).rejects.toMatchObject({ code: 'ENOENT' });
  expect(await keptFiles(env)).toEqual({ kept: [], unknown: [] });
});

it('is not looked at while a set-up is at work, and is when its lock is an old one', async () => {
  const lock = join(cache, 'setup.lock');
  await put(lock, 1);
  await expect(keptFiles(env)).rejects.toMatchObject({ code: 'E_LOCKED' });
  const then = new Date(Date.now() - 60_000);
  await utimes(lock, then, then);
  expect((await keptFiles(env)).kept).toHaveLength(7);
});
