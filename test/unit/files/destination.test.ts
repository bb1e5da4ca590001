// Tests what a path may lead to besides a file: each stays what it is, and gets the content. The special files are
// private ones in a folder of the test.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, openSync, readSync } from 'node:fs';
import { chmod, link, lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, expect, it } from 'vitest';
import { removeTemporary } from '../../../src/files/remove.js';
import { appendTo, writeAtomically, writeIn } from '../../../src/files/write.js';
import { folderOfTest } from '../../folders.js';

let folder: string;
beforeEach(() => {
  folder = folderOfTest('destination');
});
const at = (...names: string[]): string => join(folder, ...names);
const pieces = (): Uint8Array[] => [new Uint8Array(300_000).fill(97), Buffer.from('end')];
const WHOLE = `${'a'.repeat(300_000)}end`;

/** Makes devices, as Linux does for root. Elsewhere these tests have nothing to write to. */
function makesDevices(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0;
}

describe('a path that a user gives', () => {
  it('may be a named pipe, which stays one, and whose reader gets everything (case 5)', async () => {
    execFileSync('mkfifo', [at('pipe')]);
    const reader = spawn('cat', [at('pipe')], { stdio: ['ignore', 'pipe', 'inherit'] });
    const read = text(reader.stdout);
    await writeAtomically(at('pipe'), pieces());
    expect((await read) === WHOLE).toBe(true);
    expect(lstatSync(at('pipe')).isFIFO()).toBe(true);
    expect(await readdir(folder)).toEqual(['pipe']);
  });

  it.runIf(makesDevices())('may be a device, which stays one (case 5)', async () => {
    execFileSync('mknod', [at('device'), 'c', '1', '3']);
    await writeAtomically(at('device'), pieces());
    expect(lstatSync(at('device')).isCharacterDevice()).toBe(true);
    expect(await readdir(folder)).toEqual(['device']);
  });

  it('may be a socket, which stays one (case 5)', async () => {
    const server = createServer().listen(at('socket'));
    const read = once(server, 'connection').then(([accepted]) => text(accepted));
    await writeAtomically(at('socket'), pieces());
    expect((await read) === WHOLE).toBe(true);
    expect(lstatSync(at('socket')).isSocket()).toBe(true);
    server.close();
  });

  it('may be a link, whose target is replaced, or made where it is not there yet (case 5)', async () => {
    await mkdir(at('elsewhere'));
    await writeFile(at('elsewhere', 'old'), 'old');
    await symlink(join('elsewhere', 'old'), at('to-old'));
    await symlink('to-old', at('to-link'));
    await symlink(join('elsewhere', 'new'), at('to-new'));
    await writeAtomically(at('to-link'), 'content');
    await writeAtomically(at('to-new'), 'content');
    expect(await readFile(at('elsewhere', 'old'), 'utf8')).toBe('content');
    expect(await readFile(at('elsewhere', 'new'), 'utf8')).toBe('content');
    expect(await readlink(at('to-link'))).toBe('to-old');
    expect((await lstat(at('to-new'))).isSymbolicLink()).toBe(true);
    expect((await readdir(at('elsewhere'))).sort()).toEqual(['new', 'old']);
  });

  it('is refused where links lead in a circle (case 5)', async () => {
    await symlink('b', at('a'));
    await symlink('a', at('b'));
    await expect(writeAtomically(at('a'), 'x')).rejects.toMatchObject({ code: 'E_OUTPUT' });
    expect(await readlink(at('a'))).toBe('b');
  });

  it('keeps the permissions of the file that it names', async () => {
    await writeFile(at('secret'), 'old');
    await chmod(at('secret'), 0o600);
    await writeAtomically(at('secret'), 'new');
    expect(lstatSync(at('secret')).mode & 0o777).toBe(0o600);
  });

  it('may be the file that our own output goes to: nothing of that is lost (case 5)', async () => {
    const script = `
      import { writeAtomically } from ${JSON.stringify(new URL('../../../dist/src/files/write.js', import.meta.url).href)};
      process.stdout.write('before\\n');
      await writeAtomically(process.argv[1], 'content\\n');
      process.stdout.write('after\\n');`;
    const output = openSync(at('output'), 'w+');
    const args = ['--input-type=module', '-e', script, at('output')];
    execFileSync(process.execPath, args, { stdio: ['ignore', output, 'inherit'] });
    const bytes = Buffer.alloc(100);
    expect(bytes.toString('utf8', 0, readSync(output, bytes, 0, 100, 0))).toBe('before\ncontent\nafter\n');
  });
});

describe('a file of our own', () => {
  it('is never written through a link, whether it is the file or a folder on the way (case S1)', async () => {
    await mkdir(at('victim'));
    await writeFile(at('victim', 'x'), 'mine');
    await mkdir(at('run'));
    await symlink(at('victim', 'x'), at('run', 'x'));
    await symlink(at('victim'), at('run', 'plots'));
    const refused = { code: 'E_OUTPUT', message: expect.stringContaining('it is a link') };
    await expect(writeIn(at('run'), 'x', 'other')).rejects.toMatchObject(refused);
    await expect(writeIn(at('run'), 'plots/x', 'other')).rejects.toMatchObject(refused);
    await expect(appendTo(at('run', 'x'), 'other')).rejects.toMatchObject({ code: 'E_OUTPUT' });
    expect(await readFile(at('victim', 'x'), 'utf8')).toBe('mine');
    expect(await readdir(at('victim'))).toEqual(['x']);
  });
});

describe('removeTemporary', () => {
  const left = (name: string): string => `${name}.tmp-0123abcd`;
  const OURS = { '': /^config\.json$/, checkpoints: /^c\.plck$/ };

  it('removes what we began to write, where we write it, and nothing else (case S1)', async () => {
    await mkdir(at('checkpoints'));
    await mkdir(at('other'));
    const kept = [
      'config.json',
      'config.json.tmp-2026',
      'config.json.tmp-0123ABCD',
      left('thesis.txt'),
      join('other', left('config.json')),
      join('checkpoints', left('config.json')),
    ];
    const gone = [left('config.json'), join('checkpoints', left('c.plck'))];
    for (const name of [...kept, ...gone]) await writeFile(at(name), '');
    await removeTemporary(folder, OURS);
    const there = (await readdir(folder, { recursive: true })).filter(
      (name) => !['checkpoints', 'other'].includes(name),
    );
    expect(there.sort()).toEqual(kept.sort());
  });

  it('follows no link: not one to a folder elsewhere, not one that leads in a circle (case S1)', async () => {
    const [run, elsewhere] = [at('run'), at('elsewhere')];
    for (const path of [run, elsewhere]) await mkdir(path);
    await writeFile(join(elsewhere, left('c.plck')), '');
    await symlink(elsewhere, join(run, 'checkpoints'));
    await symlink('.', join(run, 'a'));
    await symlink(join(elsewhere, left('c.plck')), join(run, left('config.json')));
    await removeTemporary(run, OURS);
    expect(await readdir(elsewhere)).toEqual([left('c.plck')]);
    expect((await readdir(run)).sort()).toEqual(['a', 'checkpoints', left('config.json')]);
  });

  it('removes a name of a file, not its other names', async () => {
    await writeFile(at('notes'), 'mine');
    await link(at('notes'), at(left('config.json')));
    await removeTemporary(folder, OURS);
    expect(await readFile(at('notes'), 'utf8')).toBe('mine');
  });
});
