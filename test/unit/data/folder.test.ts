// Tests folders of images: which files are images, what their labels are, and in which order they come.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { byName } from '../../../src/data/classes.js';
import { folderLister } from '../../../src/data/listing.js';
import type { Collection } from '../../../src/data/source.js';
import { FOLDER } from '../../../src/data/sources/folder.js';
import { inOrder } from '../../../src/data/sources/picture-files.js';
import { folderOfTest } from '../../folders.js';
import { greyPicture, pngOf, writeFiles } from '../../pictures.js';

let folder: string;
let png: Buffer;
beforeEach(async () => {
  folder = folderOfTest('pictures');
  png ??= await pngOf(greyPicture());
});

const open = (options: { followLinks?: boolean; unlabelled?: string } = {}): Promise<Collection> =>
  FOLDER.open(folder, { unlabelled: 'unlabelled', followLinks: false, list: folderLister(), ...options });

/** Writes files with these names, each with the given image or content. */
const write = (names: readonly string[], others: Readonly<Record<string, string>> = {}): Promise<void> =>
  writeFiles(folder, { ...Object.fromEntries(names.map((name) => [name, png])), ...others });

const labelled = ({ train: { ids, labels } }: Collection) => ids!.map((id, i) => [id, labels?.[i]]);

describe('a folder of pictures', () => {
  it('has a class for each folder in it, those of nested folders too, and none for what lies in unlabelled/', async () => {
    await write(['cat/1.png', 'cat/old/2.png', 'dog/3.png', 'unlabelled/4.png', 'unlabelled/more/5.png', '6.png']);
    const found = await open();
    expect(labelled(found)).toEqual([
      ...[
        ['cat/1.png', 'cat'],
        ['cat/old/2.png', 'cat'],
        ['dog/3.png', 'dog'],
      ],
      ...[
        ['unlabelled/4.png', undefined],
        ['unlabelled/more/5.png', undefined],
        ['6.png', undefined],
      ],
    ]);
    expect(found.notes).toEqual([
      expect.stringContaining('1 picture beside the folders of classes, the first is 6.png'),
    ]);
    expect(found.test).toBeUndefined();
    expect((await open({ unlabelled: 'dog' })).train.labels).toEqual([
      'cat',
      'cat',
      undefined,
      'unlabelled',
      'unlabelled',
      undefined,
    ]);
  });

  it('is refused where it has no folder of the name that is given for images without labels', async () => {
    await write(['cat/1.png', 'dog/2.png', 'dog/rest/4.png', 'train/cat/5.png', 'train/later/6.png']);
    for (const unlabelled of ['unlabeled', 'Unlabelled', '../x', 'rest', ''])
      await expect(open({ unlabelled })).rejects.toMatchObject({ code: 'E_DATA_MISSING' });
    await open({ unlabelled: 'later' });
  });

  it('says that no picture is in the folder for images without labels', async () => {
    await write(['cat/1.png', 'dog/2.png']);
    await mkdir(join(folder, 'unlabelled'));
    expect((await open()).notes).toEqual(['no picture is in unlabelled']);
  });

  it('has the labels of labels.csv, and none for pictures that it does not name', async () => {
    await write(['b/2.png', '10.png', '9.png', 'Ä.png'], {
      'labels.csv': 'file,label\n10.png,x\nb/2.png,y\nA\u0308.png,x\n',
    });
    const found = await open();
    expect(labelled(found)).toEqual([
      ['b/2.png', 'y'],
      ['9.png', undefined],
      ['10.png', 'x'],
      ['Ä.png', 'x'],
    ]);
    expect(found.notes).toEqual([]);
  });

  it('has the labels of labels.csv also where its folders look like classes, and says so', async () => {
    await write(['a/1.png', 'b/2.png'], { 'labels.csv': 'file,label\na/1.png,x\n' });
    const found = await open();
    expect(labelled(found)).toEqual([
      ['a/1.png', 'x'],
      ['b/2.png', undefined],
    ]);
    expect(found.notes).toEqual(['the labels are those of labels.csv: the names of folders (a, b) are no classes']);
  });

  it('refuses a labels.csv that names what is no picture, with its line, and two files of labels', async () => {
    await write(['1.png'], { 'labels.csv': '1.png,a\n2.png,b\n' });
    await expect(open()).rejects.toMatchObject({ code: 'E_DATA_LABELS', message: expect.stringContaining('line 2') });
    await write([], { 'labels.csv': '1.png,a\n../../1.png,b\n' });
    await expect(open()).rejects.toMatchObject({ code: 'E_DATA_LABELS', message: expect.stringContaining('line 2') });
    await write([], { 'labels.tsv': '1.png\ta\n' });
    await expect(open()).rejects.toMatchObject({ code: 'E_DATA_AMBIGUOUS' });
  });

  it('is split where train/ stands with nothing but the parts of a split', async () => {
    await write(['train/a/1.png', 'train/b/2.png', 'test/a/1.png', 'unlabelled/3.png', 'val/a/9.png']);
    const found = await open();
    expect(labelled(found)).toEqual([
      ['train/a/1.png', 'a'],
      ['train/b/2.png', 'b'],
      ['unlabelled/3.png', undefined],
    ]);
    expect(found.test).toMatchObject({ ids: ['test/a/1.png'], labels: ['a'] });
    expect(found.notes).toEqual(['left out: a picture for validation, val/a/9.png']);
    await write(['car/1.png']);
    const classes = await open();
    expect(classes.test).toBeUndefined();
    expect(new Set(classes.train.labels)).toEqual(new Set(['train', 'test', 'val', 'car', undefined]));
  });

  it('that is split takes labels from labels.csv in train/ and test/, or above them', async () => {
    await write(['train/1.png', 'train/2.png', 'test/1.png'], {
      'train/labels.csv': '1.png,a\n',
      'test/labels.csv': '1.png,b\n',
    });
    const inside = await open();
    expect(inside.train.labels).toEqual(['a', undefined]);
    expect(inside.test?.labels).toEqual(['b']);
    folder = folderOfTest('above');
    await write(['train/1.png', 'test/2.png'], { 'labels.csv': 'train/1.png,a\ntest/2.png,a\n' });
    const above = await open();
    expect([above.train.labels, above.test?.labels]).toEqual([['a'], ['a']]);
  });

  it('tells of hidden files, of files that are no pictures and of classes without pictures; takes pictures without an ending', async () => {
    await write(['a/picture', 'b/1.PNG', '.hidden/1.png', 'Thumbs.db'], {
      'notes.txt': '',
      'a/other': 'x',
      '.DS_Store': '',
    });
    await mkdir(join(folder, 'none'));
    const found = await open();
    expect(labelled(found)).toEqual([
      ['b/1.PNG', 'b'],
      ['a/picture', 'a'],
    ]);
    expect(found.notes).toEqual([
      'left out: 2 files that are no pictures, the first is a/other',
      'left out: 3 hidden files, the first is .DS_Store',
      'no picture is in none',
    ]);
  });

  it('without pictures is refused', async () => {
    await write([], { 'notes.txt': '' });
    await expect(open()).rejects.toMatchObject({ code: 'E_DATA_EMPTY', message: expect.stringContaining('notes.txt') });
    expect(await FOLDER.recognises(folder, folderLister())).toBe(false);
  });

  it('has another key when a picture has changed, and the same one when nothing has', async () => {
    await write(['a/1.png', 'b/2.png']);
    const keyOf = async () => ((await open()).train.images as { readonly key: string }).key;
    const before = await keyOf();
    expect(await keyOf()).toBe(before);
    await writeFile(join(folder, 'a/1.png'), png);
    expect(await keyOf()).not.toBe(before);
  });
});

describe('a link', () => {
  it('is followed within the folder, and out of it only where that is asked for', async () => {
    const outside = folderOfTest('outside');
    await writeFiles(outside, { 'far.png': png, 'deep/farther.png': png });
    await write(['a/1.png', 'b/2.png']);
    await symlink(join(folder, 'a/1.png'), join(folder, 'b', '3.png'));
    await symlink(join(outside, 'far.png'), join(folder, 'b', '4.png'));
    await symlink(join(outside, 'deep'), join(folder, 'c'));
    await symlink('nowhere', join(folder, 'b', '5.png'));
    const found = await open();
    expect(found.train.ids).toEqual(['a/1.png', 'b/2.png', 'b/3.png']);
    expect(found.notes).toEqual([
      'left out: a link that leads nowhere, b/5.png',
      'left out: 2 links that lead out of the folder, the first is b/4.png (--follow-links reads them)',
    ]);
    expect((await open({ followLinks: true })).train.ids).toEqual([
      'a/1.png',
      'b/2.png',
      'b/3.png',
      'b/4.png',
      'c/farther.png',
    ]);
  });

  it('in a circle ends', async () => {
    await write(['a/1.png', 'b/2.png']);
    await symlink('..', join(folder, 'a', 'up'));
    await symlink('../b', join(folder, 'a', 'b'));
    await symlink('../a', join(folder, 'b', 'a'));
    await symlink('self', join(folder, 'self'));
    const found = await open();
    expect(new Set(found.train.ids)).toEqual(new Set(['a/1.png', 'b/2.png', 'a/b/2.png', 'b/a/1.png']));
  });
});

describe('the order of images', () => {
  it('is that of file names by their numbers, then that of folders: the same in one folder and by class', () => {
    expect(inOrder(['b/10.png', 'a/9.png', 'a/10.png', '1.png'])).toEqual(['1.png', 'a/9.png', 'a/10.png', 'b/10.png']);
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(99_999), { minLength: 1, maxLength: 50 }), (numbers) => {
        const flat = inOrder(numbers.map((number) => `${number}.png`));
        const byClass = inOrder(numbers.map((number) => `${'abc'[number % 3]}/${number}.png`));
        expect(byClass.map((id) => id.slice(2))).toEqual(flat);
      }),
    );
  });

  it('of names is that of their runs of digits, by value, and of other characters', () => {
    const runsOf = (name: string): string[] => name.match(/\d+|\D+/g) ?? [];
    const byRuns = (left: string, right: string): number => {
      const [ls, rs] = [runsOf(left), runsOf(right)];
      for (const [i, l] of ls.entries()) {
        const r = rs[i];
        if (r === undefined) return 1;
        const areNumbers = /^\d/.test(l) && /^\d/.test(r);
        if (areNumbers && BigInt(l) !== BigInt(r)) return BigInt(l) < BigInt(r) ? -1 : 1;
        if (!areNumbers && l !== r) return l < r ? -1 : 1;
      }
      return ls.length - rs.length || (left < right ? -1 : Number(left > right));
    };
    const name = fc.string({ unit: fc.constantFrom('0', '1', '9', 'a', '\u0001', '-', 'é', '猫'), maxLength: 8 });
    fc.assert(
      fc.property(name, name, (a, b) => {
        expect(Math.sign(byName(a, b))).toBe(Math.sign(byRuns(a, b)));
      }),
    );
  });

  it('is that of byName, and the same for any order in which files are found', () => {
    const name = fc.string({ unit: fc.constantFrom('0', '1', '7', 'a', 'B', '-', '.'), minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 30 }), (names) => {
        const ordered = inOrder(names);
        expect(ordered).toEqual(inOrder([...names].reverse()));
        expect(ordered).toEqual([...names].sort(byName));
      }),
    );
  });
});
