// Tests that only a few files of src/files write, so that what is true of writing there is true everywhere.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const WRITERS = ['src/files/write.ts', 'src/files/remove.ts', 'src/files/destination.ts'];
/** The functions of node:fs and node:fs/promises that change nothing. open() is checked separately. */
const READERS =
  /^(type \w+|access|closeSync|constants|existsSync|fstatSync|lstat|open|openSync|readSync|readdir|readdirSync|readFile|readFileSync|readlink|readlinkSync|realpath|stat|statSync)$/;

const sources = ['src', 'worker', 'coordinator'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile() && item.name.endsWith('.ts'))
    .map((item) => relative(ROOT, join(item.parentPath, item.name)))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') })),
);

/** Returns what a file imports from node:fs, by its names there. */
function fromFs(text: string): string[] {
  const imports = text.matchAll(/^import ([^;]*?) from '(?:node:)?fs(?:\/promises)?';/gm);
  return Array.from(imports, ([, names]) => names!).flatMap((names) =>
    names
      .replace(/[{}]/g, '')
      .replace(/\s+/g, ' ')
      .split(',')
      .map((name) => name.trim().replace(/ as .*/, ''))
      .filter((name) => name !== ''),
  );
}

describe('writing', () => {
  it('is done in one place: no other file takes what writes, renames or removes from Node (case 5)', () => {
    const others = sources.filter(({ path }) => !WRITERS.includes(path));
    const writing = others.flatMap(({ path, text }) =>
      fromFs(text)
        .filter((name) => !READERS.test(name))
        .map((name) => `${path}: ${name}`),
    );
    expect(writing).toEqual([]);
    for (const { path, text } of others) {
      if (!fromFs(text).some((name) => name === 'open' || name === 'openSync')) continue;
      const opened = text.match(/(?<![\w.])open(?:Sync)?\([^()]*\)/g) ?? [];
      expect(opened.length, path).toBeGreaterThan(0);
      // Without flags it only reads, and also with those of src/files/read.ts, which only prevent a wait at a pipe.
      for (const call of opened) expect(call.replace('(path, READING)', '(path)'), path).not.toContain(',');
    }
    for (const { path, text } of sources) expect(text, path).not.toMatch(/import\('(node:)?fs|require\('(node:)?fs/);
  });

  it('is found by this test where it is done (case 5)', () => {
    const written = sources.filter(({ path }) => WRITERS.includes(path)).flatMap(({ text }) => fromFs(text));
    expect(written).toEqual(expect.arrayContaining(['rename', 'writeFile', 'mkdtemp']));
  });
});
