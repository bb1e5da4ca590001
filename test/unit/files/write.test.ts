// Tests atomic writes: at any time and after any failure, a reader finds the old content or the new one, and nothing
// else is left.
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { PseudolabelError } from '../../../src/errors.js';
import { makeFolder, writeAtomically } from '../../../src/files/write.js';
import { cannotWrite } from '../../../src/files/write-errors.js';
import { folderOfTest } from '../../folders.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = folderOfTest('files');
  path = join(folder, 'result.json');
});

const failureOf = (writing: Promise<void>): Promise<unknown> =>
  writing.then(
    () => expect.fail('it was written'),
    (error: unknown) => error,
  );

describe('writeAtomically', () => {
  it('writes text, bytes, and pieces of bytes', async () => {
    await writeAtomically(path, 'naïve');
    expect(await readFile(path, 'utf8')).toBe('naïve');
    await writeAtomically(path, Uint8Array.of(0, 255, 10));
    expect(await readFile(path)).toEqual(Buffer.of(0, 255, 10));
    await writeAtomically(path, [Uint8Array.of(1, 2), new Uint8Array(), Uint8Array.of(3)]);
    expect(await readFile(path)).toEqual(Buffer.of(1, 2, 3));
    await writeAtomically(path, '');
    expect(await readFile(path, 'utf8')).toBe('');
    expect(await readdir(folder)).toEqual(['result.json']);
  });

  it('makes the folder', async () => {
    await writeAtomically(join(folder, 'a', 'b', 'c'), 'x');
    expect(await readFile(join(folder, 'a', 'b', 'c'), 'utf8')).toBe('x');
  });

  it('leaves the old content, and nothing else, when the pieces fail in the middle', async () => {
    await writeAtomically(path, 'old');
    const failure = new Error('no more pieces');
    function* pieces(): Generator<Uint8Array> {
      yield new Uint8Array(2 ** 20);
      throw failure;
    }
    expect(await failureOf(writeAtomically(path, pieces()))).toBe(failure);
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(folder)).toEqual(['result.json']);
  });

  it('shows readers all of the old content or all of the new', async () => {
    const contents = ['a', 'b'].map((letter) => letter.repeat(2 ** 20));
    await writeAtomically(path, contents[0]!);
    let writing = true;
    const seen = new Set<string>();
    const reader = (async () => {
      while (writing) seen.add(await readFile(path, 'utf8'));
    })();
    for (let i = 1; i <= 20; i++) await writeAtomically(path, contents[i % 2]!);
    writing = false;
    await reader;
    expect([...seen].every((content) => contents.includes(content))).toBe(true);
    expect(seen.size).toBe(2);
  });

  it('does not mix the contents of two writers', async () => {
    const contents = ['a', 'b', 'c'].map((letter) => letter.repeat(2 ** 20));
    await Promise.all(contents.map((content) => writeAtomically(path, content)));
    expect(contents).toContain(await readFile(path, 'utf8'));
    expect(await readdir(folder)).toEqual(['result.json']);
  });

  it('names the path and a way out when a folder has the name of the file', async () => {
    await mkdir(path);
    const error = await failureOf(writeAtomically(path, 'x'));
    expect(error).toBeInstanceOf(PseudolabelError);
    expect(error).toMatchObject({ code: 'E_OUTPUT', fix: expect.stringContaining('move it away') });
    expect(String(error)).toContain(path);
    expect(await readdir(folder)).toEqual(['result.json']);
  });

  it('names the path and a way out when a file has the name of the folder', async () => {
    await writeFile(path, 'x');
    const error = await failureOf(writeAtomically(join(path, 'inner'), 'x'));
    expect(error).toMatchObject({ code: 'E_OUTPUT', fix: expect.stringContaining('move it away') });
    expect(String(error)).toContain(join(path, 'inner'));
  });
});

describe('makeFolder', () => {
  it('makes all that is missing, at once with others who make it, and is content with what is there', async () => {
    const path = join(folder, 'a', 'b', 'c');
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(path)));
    await makeFolder(path);
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  it.runIf(process.platform === 'linux')('ends where a folder is there that holds no others, as /proc', async () => {
    await expect(makeFolder('/proc/nobody/here')).rejects.toMatchObject({ code: 'E_OUTPUT' });
  });
});

describe('cannotWrite', () => {
  it('says for each kind of failure what to do about it', () => {
    const fixes = { ENOSPC: 'space', EDQUOT: 'space', EACCES: 'who may write', EROFS: 'read-only', EIO: 'disk' };
    for (const [code, words] of Object.entries(fixes)) {
      const cause = Object.assign(new Error(`${code}: no`), { code, syscall: 'write' });
      const error = cannotWrite('run/result.json', cause);
      expect(error).toMatchObject({ code: 'E_OUTPUT', fix: expect.stringContaining(words) });
      expect(String(error)).toContain(`run/result.json cannot be written: ${code}: no`);
    }
  });

  it('leaves an error that is not of the system as it is', () => {
    const mistake = new TypeError('no');
    expect(cannotWrite('run/result.json', mistake)).toBe(mistake);
  });
});
