// Tests the files that labels are written to, and the folders that images are sorted into.
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { decode } from 'fast-png';
import { parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { checkEmpty, sortInto } from '../../coordinator/review/sorted-folders.js';
import { UNKNOWN } from '../../src/data/dataset.js';
import { loadDataset } from '../../src/data/load.js';
import { classFolders, safeName } from '../../src/labelling/class-folders.js';
import { quoted } from '../../src/labelling/csv-file.js';
import { formatOf, labelsIn } from '../../src/labelling/formats.js';
import { agreement, type Labelled, labelledOf, shareGaps } from '../../src/labelling/labelled.js';
import { folderOfTest } from '../folders.js';
import { writeIdx } from '../write-idx.js';

const CLASSES = ['cat', 'dög, "big"'];
const IDS = ['a/x.jpg', 'b/x.jpg', 'c/X.JPG'];

function labelled(ids: readonly string[] | undefined, classNames = CLASSES): Labelled {
  const set = { count: 3, ids, labels: Uint16Array.of(UNKNOWN, 0, UNKNOWN) };
  return labelledOf(set, classNames, {
    classNames,
    classes: Uint16Array.of(0, 1, 0),
    confidences: Float32Array.of(0.5, 0.75, 1),
    runnersUp: { classes: Uint16Array.of(1, 0, 1), confidences: Float32Array.of(0.25, 0.125, 0) },
  });
}

async function bytesIn(format: 'csv' | 'tsv' | 'npz' | 'parquet', of: Labelled): Promise<Buffer> {
  const data = await labelsIn(format, of);
  if (typeof data === 'string') return Buffer.from(data);
  return data instanceof Uint8Array ? Buffer.from(data) : Buffer.concat([...data]);
}

const ROWS = [
  { label: 'cat', confidence: 0.5, runner_up: CLASSES[1], runner_up_confidence: 0.25, known: '' },
  { label: CLASSES[1], confidence: 0.75, runner_up: 'cat', runner_up_confidence: 0.125, known: 'cat' },
  { label: 'cat', confidence: 1, runner_up: CLASSES[1], runner_up_confidence: 0, known: '' },
];

describe('labels', () => {
  it('are written in the format that the name of the file ends in', () => {
    const names = ['l.csv', 'L.TSV', 'a.b/l.npz', 'l.parquet', 'l', 'labels-idx1-ubyte', 'l.idx'];
    expect(names.map(formatOf)).toEqual(['csv', 'tsv', 'npz', 'parquet', 'idx', 'idx', 'idx']);
    expect(() => formatOf('train/0/1.PNG')).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });

  it('of CSV and TSV name files, or indices where there are none, and quote what has to be', async () => {
    expect((await bytesIn('csv', labelled(IDS))).toString().split('\n')).toEqual([
      'file,label,confidence,runner_up,runner_up_confidence,known',
      'a/x.jpg,cat,0.500000,"dög, ""big""",0.250000,',
      'b/x.jpg,"dög, ""big""",0.750000,cat,0.125000,cat',
      'c/X.JPG,cat,1.000000,"dög, ""big""",0.000000,',
      '',
    ]);
    expect((await bytesIn('tsv', labelled(undefined))).toString()).toContain('\n0\tcat\t0.500000\t"dög, ""big"""');
    expect(quoted(' a')).toBe('" a"');
  });

  it('of CSV are read again by --labels, whatever files and classes are called', async () => {
    const folder = folderOfTest('labels-csv');
    await writeIdx(join(folder, 'train-images-idx3-ubyte'), [3, 1, 1], new Uint8Array(3));
    const names = fc.uniqueArray(
      fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 9 })
        .filter((name) => /^[\p{L}\p{N},"';][^\p{C}]*$/u.test(name)),
      { minLength: 2, maxLength: 2 },
    );
    await fc.assert(
      fc.asyncProperty(names, async (given) => {
        const classNames = given.map((name) => name.trim().normalize());
        fc.pre(new Set(classNames).size === 2);
        await writeFile(join(folder, 'labels.csv'), await bytesIn('csv', labelled(undefined, classNames)));
        const read = await loadDataset({ data: folder, labels: join(folder, 'labels.csv') });
        expect(Array.from(read.train.labels, (label) => read.classNames[label])).toEqual(
          [0, 1, 0].map((each) => classNames[each]),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('of Parquet have the same columns', async () => {
    const file = await bytesIn('parquet', labelled(IDS));
    const rows = await parquetReadObjects({ file: Uint8Array.from(file).buffer });
    expect(rows).toEqual(ROWS.map((row, image) => ({ file: IDS[image], ...row })));
    const numbered = Uint8Array.from(await bytesIn('parquet', labelled(undefined))).buffer;
    expect((await parquetReadObjects({ file: numbered })).map((row) => row.index)).toEqual([0, 1, 2]);
  });

  it('of NumPy are the same file for the same labels', async () => {
    const one = await bytesIn('npz', labelled(IDS));
    expect(await bytesIn('npz', labelled(IDS))).toEqual(one);
    for (const name of ['file', 'label', 'confidence', 'runner_up', 'runner_up_confidence', 'known', 'class_names'])
      expect(one.toString('latin1')).toContain(`${name}.npy`);
  });

  it('agree with those that are known, or do not', () => {
    expect(agreement(labelled(IDS))).toEqual({ known: 1, agree: 0 });
  });
});

describe('the folders of classes', () => {
  it('have each image under its known label, else under its class, and no two of one name', () => {
    expect(classFolders(labelled(IDS), undefined)).toEqual(['cat/x.jpg', 'cat/x (2).jpg', 'cat/X (3).JPG']);
    expect(classFolders(labelled(undefined, ['a/b', 'A:b']), '.png')).toEqual([
      ...['a_b/0.png', 'a_b/1.png', 'a_b/2.png'],
    ]);
  });

  it('number images of one name, of which there may be thousands', () => {
    const count = 50_000;
    const ids = Array.from({ length: count }, (_, i) => `${i}/image.png`);
    const { runnersUp } = labelled(undefined);
    const many = { classes: new Uint16Array(count), confidences: new Float32Array(count), runnersUp };
    const paths = classFolders({ ...labelled(undefined), ...many, count, ids, known: () => 'cat' }, undefined);
    expect(new Set(paths).size).toBe(count);
    expect(paths.at(-1)).toBe(`cat/image (${count}).png`);
  });

  it('have names that lead nowhere else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        expect(safeName(name)).toMatch(/^[^./\\][^/\\]*$/u);
      }),
    );
    expect(['..', '', '.git', 'a/../b', 'con\n'].map(safeName)).toEqual(['_', '_', '_git', 'a_.._b', 'con_']);
  });

  it('have relative links to files, and pictures of what is in no files; a folder that has something is refused', async () => {
    const folder = folderOfTest('sorted');
    const data = join(folder, 'data');
    for (const id of IDS) {
      await mkdir(join(data, id, '..'), { recursive: true });
      await writeFile(join(data, id), id);
    }
    const seen = { size: { rows: 1, columns: 1, channels: 3 }, pixels: () => Uint8Array.of(1, 2, 3) };
    const [links, pictures] = [join(folder, 'links'), join(folder, 'pictures')];
    await checkEmpty(links);
    expect(await sortInto(links, { ...seen, labelled: labelled(IDS) }, data)).toBe('links');
    expect(await readlink(join(links, 'cat', 'x (2).jpg'))).toBe('../../data/b/x.jpg');
    expect(await readFile(join(links, 'cat', 'x (2).jpg'), 'utf8')).toBe('b/x.jpg');
    await expect(checkEmpty(links)).rejects.toMatchObject({ code: 'E_USAGE' });
    expect(await sortInto(pictures, { ...seen, labelled: labelled(undefined) }, data)).toBe('pictures');
    expect((await readdir(join(pictures, 'cat'))).sort()).toEqual(['0.png', '1.png', '2.png']);
    expect([...decode(await readFile(join(pictures, 'cat', '0.png'))).data]).toEqual([1, 2, 3]);
  });
});

describe('shares of the classes', () => {
  const NAMES = ['ant', 'bee', 'cat', 'dog'];
  /** Makes images of which the model takes so many for each class; the known labels are the first. */
  function shares(perClass: readonly number[], known: readonly number[]): Labelled {
    const classes = Uint16Array.from(perClass.flatMap((count, c) => new Array<number>(count).fill(c)));
    const count = classes.length;
    const labels = new Uint16Array(count).fill(UNKNOWN);
    labels.set(known);
    const confidences = new Float32Array(count);
    const predicted = { classNames: NAMES, classes, confidences, runnersUp: { classes, confidences } };
    return labelledOf({ count, ids: undefined, labels }, NAMES, predicted);
  }

  it('that are far from those of the known labels are told with the class that grew most and the one that shrank most', () => {
    expect(shareGaps(shares([15, 4, 63, 18], [0, 1, 2, 3]))).toEqual([
      { className: 'cat', share: 0.63, knownShare: 0.25 },
      { className: 'bee', share: 0.04, knownShare: 0.25 },
    ]);
  });

  it('that are near, or that no label is known to compare with, are not', () => {
    expect(shareGaps(shares([30, 20, 35, 15], [0, 1, 2, 3]))).toEqual([]);
    expect(shareGaps(shares([0, 0, 100, 0], []))).toEqual([]);
  });
});
