// Tests files of labels as people and programs write them, and their errors.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ImageStore } from '../../../src/data/image-store.js';
import { readLabelsFile } from '../../../src/data/labels-file.js';
import { labelsFor, withLabelsFile } from '../../../src/data/labels-for.js';
import type { Collection, FoundSet, Label } from '../../../src/data/source.js';
import { PseudolabelError } from '../../../src/errors.js';
import { failureOf } from '../../failure.js';
import { folderOfFile } from '../../folders.js';

const root = folderOfFile('labels-file');

let files = 0;
async function fileOf(content: string | Uint8Array, extension = 'csv'): Promise<string> {
  const path = join(root, `${files++}.${extension}`);
  await writeFile(path, content);
  return path;
}

const setOf = (ids: readonly string[] | undefined, count = ids?.length ?? 4, labels?: readonly Label[]): FoundSet => ({
  path: 'pictures',
  count,
  ids,
  labels,
  images: { kind: 'plain', height: 1, width: 1, channels: 1, store: ImageStore.allocate(count, 1) },
});

const IDS = ['cat/1.png', 'cat/2.png', 'dog/1.png', 'dog/thé.png'];
const NAMED = setOf(IDS);
const NUMBERED = setOf(undefined);

const labelsOf = async (content: string | Uint8Array, images = NAMED): Promise<Label[]> =>
  labelsFor(images, await readLabelsFile(await fileOf(content)));

describe('a file of labels', () => {
  it.each<[string, string | Uint8Array]>([
    ['has a header', 'file,label\ncat/1.png,cat\ncat/2.png,cat\ndog/1.png,dog\n'],
    [
      'has a header in another order and case, and other columns',
      'Label,Extra,FileName\ncat,,cat/1.png\ncat,x,cat/2.png\ndog,,dog/1.png\n',
    ],
    ['has no header', 'cat/1.png,cat\ncat/2.png,cat\ndog/1.png,dog'],
    ['has a header that names one of two columns', 'picture,class\ncat/1.png,cat\ncat/2.png,cat\ndog/1.png,dog'],
    ['is TSV with carriage returns and empty lines', 'cat/1.png\tcat\r\n\r\ncat/2.png\tcat\r\ndog/1.png\tdog\r\n\r\n'],
    ['is of a spreadsheet in German', 'file;label\r\ncat/1.png;cat\r\ncat/2.png;cat\r\ndog/1.png;dog\r\n'],
    [
      'has a byte order mark, quotes and spaces',
      '\ufefffile,label\n"cat/1.png", cat\ncat/2.png,"cat"\ndog/1.png,dog\n',
    ],
    ['is UTF-16', Buffer.from('\ufefffile\tlabel\ncat/1.png\tcat\ncat/2.png\tcat\ndog/1.png\tdog\n', 'utf16le')],
    ['has paths as other systems write them', './cat/1.png,cat\ncat\\2.png,cat\ndog/1.png,dog'],
    [
      'leaves labels unknown and says some twice',
      'cat/1.png,cat\ndog/thé.png,\ncat/2.png,cat\ndog/1.png,dog\ndog/1.png,dog\ndog/thé.png,?',
    ],
    ['leaves the folder and the extension out where that is clear', 'cat/1,cat\n2,cat\ndog/1.png,dog\nthé.png,-1'],
  ])('that %s gives each image its label', async (_, content) => {
    expect(await labelsOf(content)).toEqual(['cat', 'cat', 'dog', undefined]);
  });

  it('finds a name in whatever form of Unicode', async () => {
    expect(await labelsOf(`${'dog/thé.png'.normalize('NFD')},${'é'.normalize('NFD')}`)).toEqual([
      ...[undefined, undefined, undefined],
      'é',
    ]);
    expect(await labelsOf('dog/thé.png,a', setOf(['dog/thé.png'.normalize('NFD')]))).toEqual(['a']);
  });

  it.each([['index,label\n3,7\n0,5\n'], ['3,7\n0,5\n'], [',label\n0,5\n3,7\n'], ['id,y\n0,5.0\n1,\n3,7.0\n']])(
    'calls images that have no names by their index: %j',
    async (content) => {
      expect(await labelsOf(content, NUMBERED)).toEqual([5, undefined, undefined, 7]);
    },
  );

  it('has no header where its first line has an image, though the class is called as a column may be', async () => {
    expect(await labelsOf('cat/1.png,y\ncat/2.png,n\n')).toEqual(['y', 'n', undefined, undefined]);
    expect(await labelsOf('0,target\n1,other\n', NUMBERED)).toEqual(['target', 'other', undefined, undefined]);
  });

  it('calls images by their index where its header says so, though they have names', async () => {
    expect(await labelsOf('index,label\n3,a\n')).toEqual([undefined, undefined, undefined, 'a']);
  });

  it('has numbers as labels only where all are whole numbers', async () => {
    expect(await labelsOf('0,1\n1,10', NUMBERED)).toEqual([1, 10, undefined, undefined]);
    expect(await labelsOf('0,1\n1,1a', NUMBERED)).toEqual(['1', '1a', undefined, undefined]);
    expect(await labelsOf('0,01\n1,1', NUMBERED)).toEqual(['01', '1', undefined, undefined]);
  });

  it('gives back what was written, whatever the names are', async () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
      .filter((text) => !/[\p{C}\p{Z}\\/]/u.test(text));
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
    const entries = fc.uniqueArray(fc.tuple(name, name), {
      minLength: 1,
      maxLength: 20,
      selector: ([file]) => file.normalize('NFC'),
    });
    await fc.assert(
      fc.asyncProperty(entries, async (written) => {
        const content = written.map(([file, label]) => `${quoted(`x/${file}`)},${quoted(`l${label}`)}`).join('\n');
        const found = await labelsOf(`file,label\n${content}`, setOf(written.map(([file]) => `x/${file}`)));
        expect(found).toEqual(written.map(([, label]) => `l${label}`.normalize('NFC')));
      }),
      { numRuns: 50 },
    );
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    [
      'contradicts itself',
      'cat/1.png,a\ncat/2.png,b\ncat/1.png,b',
      /line 1 that cat\/1.png is a, in line 3 that it is b/,
    ],
    ['names what is no image', 'file,label\ncat/1.png,a\nx.png,a\ny.png,b', /x\.png \(line 3\), y\.png \(line 4\)/],
    ['names many that are no image', Array.from({ length: 9 }, (_, i) => `x${i},a`).join('\n'), /and 6 more/],
    ['leads out of the folder', 'cat/../../cat/1.png,a', /line 1, which is not a path within the folder/],
    ['has an absolute path', '/etc/passwd,a', /not a path within/],
    ['has a path of another system', 'C:\\cat\\1.png,a', /not a path within/],
    ['names what may be two images', '1.png,a', /cat\/1.png or dog\/1.png/],
    ['has lines of other lengths', 'file,label\ncat/1.png,a,b\n', /3 columns in line 2/],
    ['has three columns without names', 'a,b,c\n', /3 columns, and its first line does not say/],
    ['has one column', 'cat/1.png\n', /1 columns/],
    ['has a header alone', 'file,label\n', /a header and no labels/],
    ['is empty', '', /has no labels/],
    ['has a quote that is never closed', 'cat/1.png,"a\n', /not a CSV file/],
    ['is not a text', Uint8Array.of(0x80, 0xff, 0xfe), /not a text in UTF-8/],
    ['has zero bytes', 'a\0,b', /zero bytes/],
    ['has a label of 1,000 characters', `cat/1.png,${'x'.repeat(1000)}`, /line 1 that is longer/],
    ['has two columns of labels', 'file,class,class\ncat/1.png,a,b\n', /two columns called class/],
    ['has a label with control characters', 'cat/1.png,\u001b[31mred', /control characters/],
  ])('that %s is refused', async (_, content, message) => {
    const path = await fileOf(content);
    const error = await failureOf((async () => labelsFor(NAMED, await readLabelsFile(path)))(), path);
    expect(error.message).toMatch(message);
    expect(error.code).toBe('E_DATA_LABELS');
  });

  it('that is not there, or is a folder, is refused', async () => {
    expect((await failureOf(readLabelsFile(join(root, 'none.csv')), root)).code).toBe('E_DATA_MISSING');
    expect((await failureOf(readLabelsFile(root), root)).code).toMatch(/^E_DATA_/);
  });

  it('that has an index beyond the last image is refused', async () => {
    const path = await fileOf('index,label\n4,a');
    const error = await failureOf((async () => labelsFor(NUMBERED, await readLabelsFile(path)))(), path);
    expect(error.fix).toContain('0 to 3');
  });

  it('of any bytes gives labels or an error of ours', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({
        unit: fc.constantFrom('a', '1', '"', ',', '\t', '\n', '\r', ';', '/', '.', '-', ' '),
        maxLength: 80,
      }),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async (content) => {
        const labels = await labelsOf(content).catch((error: unknown) => {
          expect(error).toBeInstanceOf(PseudolabelError);
          return NAMED.ids!;
        });
        expect(labels).toHaveLength(NAMED.count);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the labels of a file', () => {
  const collection = (classNames: string[] | undefined, labels: Label[], test?: FoundSet): Collection => ({
    classNames,
    test,
    notes: ['before'],
    train: setOf(IDS, 4, labels),
  });

  it('replace all training labels, and that is said', async () => {
    const path = await fileOf('cat/1.png,a');
    const found = await withLabelsFile(collection(undefined, [1, 2, 3, 4]), path);
    expect(found.train.labels).toEqual(['a', undefined, undefined, undefined]);
    expect(found.notes).toEqual([
      'before',
      `the training labels are those of ${path}: 1 of 4 images have one`,
      `3 labels that the images had are not in ${path}: they are not used`,
    ]);
  });

  it('may be those that a model guessed, and that is said', async () => {
    const path = await fileOf('file,label,confidence,runner_up,runner_up_confidence,known\ncat/1.png,a,0.9,b,0.1,\n');
    const { notes, train } = await withLabelsFile(collection(undefined, []), path);
    expect(train.labels![0]).toBe('a');
    expect(notes.at(-1)).toMatch(/a model guessed, and all are taken for true/);
  });

  it('may have new classes, which are told, but for those that differ from others in case or spaces alone', async () => {
    const before = collection(undefined, ['big cat', undefined, 'dog', undefined]);
    const path = await fileOf('cat/1.png,big cat\ncat/2.png,bgi cat\ndog/1.png,dog');
    expect((await withLabelsFile(before, path)).notes.at(-1)).toBe(`classes that are in ${path} alone: bgi cat`);
    const error = await failureOf(withLabelsFile(before, await fileOf('cat/1.png,Big  cat\ndog/1.png,dog')), 'Big');
    expect(error.message).toMatch(/a class Big {2}cat, another is called big cat/);
  });

  it('are classes that the format names, by name or by number', async () => {
    const before = collection(['cat', 'dog'], [0, 0, 1, 1]);
    const byName = await withLabelsFile(before, await fileOf('cat/1.png,dog'));
    expect([byName.train.labels![0], byName.classNames]).toEqual([1, ['cat', 'dog']]);
    const byNumber = await withLabelsFile(before, await fileOf('cat/1.png,1'));
    expect([byNumber.train.labels![0], byNumber.classNames]).toEqual([1, ['cat', 'dog']]);
    const numbers = await withLabelsFile(collection(['1', '2'], []), await fileOf('cat/1.png,1'));
    expect([numbers.train.labels![0], numbers.classNames]).toEqual([0, ['1', '2']]);
  });

  it('may be other classes, and then the test keeps its names', async () => {
    const test = setOf(['test/9.png'], 1, [1]);
    const found = await withLabelsFile(
      collection(['cat', 'dog'], [], test),
      await fileOf('1.png,x\ntest/9.png,y'.replace('1', 'cat/1')),
    );
    expect(found).toMatchObject({
      classNames: undefined,
      test: { labels: ['dog'] },
      train: { labels: ['x', undefined, undefined, undefined] },
    });
  });
});

it('columns that are called otherwise are named, with the names that are known', async () => {
  const path = join(root, 'columns.csv');
  for (const [header, missing] of [
    ['picture,kind,date', 'image and which the label'],
    ['file,kind,date', 'label'],
    ['picture,label,date', 'image'],
  ]) {
    await writeFile(path, `${header}\na.png,x,2020\n`);
    await expect(readLabelsFile(path)).rejects.toMatchObject({
      code: 'E_DATA_LABELS',
      message: expect.stringMatching(new RegExp(`which has the ${missing}: ${header!.replaceAll(',', ', ')}$`)),
      fix: expect.stringContaining('filename'),
    });
  }
});
