// Tests what is said of class names that look like the same name to a person.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dataLines } from '../../../coordinator/terminal/summary.js';
import { alikeNote, plainName } from '../../../src/data/classes.js';
import { loadDataset } from '../../../src/data/load.js';
import { folderOfFile } from '../../folders.js';
import { npyBytes, textsNpy, writeNpz } from '../../write-npy.js';

const root = folderOfFile('classes');

describe('class names', () => {
  it.each([
    ['cat', 'Cat'],
    ['dog', 'dog '],
    ['grey cat', 'Grey  CAT'],
    ['0', '00'],
    ['class 1', 'Class 01'],
    ['a', ' a'],
  ])('%j and %j are taken for one', (one, other) => {
    expect(plainName(one)).toBe(plainName(other));
    expect(alikeNote([one, 'owl', other])).toBe(
      `classes that differ in case, spaces or leading zeros alone: ${JSON.stringify(one)} and ${JSON.stringify(other)}; if they are one, give them the same name`,
    );
  });

  it.each([
    ['a', 'A'], // of an alphabet
    ['0', '10'],
    ['1', '100'],
    ['cat', 'cats'],
    ['greycat', 'grey cat'],
  ])('%j and %j are two', (one, other) => {
    expect(alikeNote([one, other])).toBeUndefined();
  });

  it('that are nearly one are the first that is said of a data set', async () => {
    const path = join(root, 'pets.npz');
    const pixels = npyBytes(
      '|u1',
      [3, 2, 2],
      new Uint8Array(12).map((_, i) => 20 * i),
    );
    await writeNpz(path, { x: pixels, y: textsNpy(['cat', 'Cat', 'dog']), more: pixels });
    const dataset = await loadDataset({ data: path });
    expect(dataset.classNames).toEqual(['Cat', 'cat', 'dog']);
    expect(dataLines(dataset)[0]).toMatch(/^classes that differ in case.*: "Cat" and "cat"; if they are one/);
    expect(dataset.notes!.length).toBeGreaterThan(1);
  });
});
