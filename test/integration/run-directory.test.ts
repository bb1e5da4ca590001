// Tests the directory of a run as its owner or a stranger may leave it: who may work in it, and what a resumed run may
// change.
import { mkdir, readdir, readFile, rmdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { configFrom, resumedConfig } from '../../coordinator/commands/run-flags.js';
import { FolderLock } from '../../coordinator/runs/lock.js';
import { RunDirectory } from '../../coordinator/runs/run-directory.js';
import { normalise } from '../../src/training/config.js';
import { folderOfTest } from '../folders.js';

const CONFIG = normalise({ hidden: 16 });
const BEGINNING = { stage: 0, step: 0 };

let run: string;
let elsewhere: string;
beforeEach(async () => {
  const folder = folderOfTest('rundir');
  run = join(folder, 'run');
  elsewhere = join(folder, 'elsewhere');
  await mkdir(elsewhere);
});

async function create(): Promise<RunDirectory> {
  const directory = await RunDirectory.create(run, CONFIG);
  onTestFinished(() => directory.close());
  return directory;
}

async function reopen(): Promise<RunDirectory> {
  const lock = await FolderLock.take(run);
  onTestFinished(() => lock.release());
  return RunDirectory.reopen(run, ['supervised'], BEGINNING, lock);
}

describe('a run directory', () => {
  it('is one process at a time in which a run goes on (case 8)', async () => {
    const first = await create();
    await expect(FolderLock.take(run)).rejects.toMatchObject({ code: 'E_LOCKED' });
    await first.close();
    const again = await reopen();
    await expect(RunDirectory.create(run, CONFIG)).rejects.toMatchObject({ code: 'E_LOCKED' });
    await again.close();
    await expect(RunDirectory.create(run, CONFIG)).rejects.toMatchObject({ code: 'E_OUTPUT' });
  });

  it('from a stranger makes nobody touch what its links lead to (case S1)', async () => {
    await (await create()).close();
    await writeFile(join(elsewhere, 'config.json.tmp-0123abcd'), 'mine');
    await writeFile(join(elsewhere, 'x.tmp-2026'), 'mine');
    await symlink(elsewhere, join(run, 'extra'));
    for (const name of ['a', 'b']) await symlink('.', join(run, name));
    await (await reopen()).close();
    expect(await readdir(elsewhere)).toHaveLength(2);
  });

  it.each(['metrics.jsonl', 'result.json', 'model', 'plots', 'checkpoints', 'events.out.tfevents.1.pseudolabel'])(
    'is not gone on with where its %s is a link (case S1)',
    async (name) => {
      const made = await RunDirectory.create(run, CONFIG);
      await made.close();
      const victim = join(elsewhere, 'victim');
      await writeFile(victim, 'mine');
      if (name === 'checkpoints') await rmdir(join(run, name));
      await symlink(['model', 'plots', 'checkpoints'].includes(name) ? elsewhere : victim, join(run, name));
      await expect(reopen()).rejects.toMatchObject({ code: 'E_OUTPUT', message: expect.stringContaining('a link') });
      expect(await readFile(victim, 'utf8')).toBe('mine');
    },
  );

  it('loses what a killed process had begun to write', async () => {
    await (await create()).close();
    const left = ['config.json.tmp-0123abcd', 'checkpoints/checkpoint-00-00000005.plck.tmp-89abcdef'];
    for (const name of left) await writeFile(join(run, name), '');
    await (await reopen()).close();
    expect((await readdir(run, { recursive: true })).sort()).toEqual(['checkpoints', 'config.json']);
  });
});

describe('the config of a run', () => {
  it('has paths that hold in any folder, in flags, in a config file and when a run goes on (case 18)', async () => {
    const file = join(elsewhere, 'config.json');
    await writeFile(file, JSON.stringify({ data: 'images' }));
    const absolute = join(process.cwd(), 'images');
    expect((await configFrom({ data: 'images' })).data).toBe(absolute);
    expect((await configFrom({ config: file })).data).toBe(absolute);
    expect(resumedConfig(normalise({}), { data: 'images' }).data).toBe(absolute);
    expect((await configFrom({})).data).toBeUndefined();
  });
});
