// Tests what `pseudolabel data` says of a data set, and the samples that it shows.
import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { type Dataset, datasetOf, UNKNOWN } from '../../../src/data/dataset.js';
import { ImageStore } from '../../../src/data/image-store.js';
import { samplesOf, summaryOf } from '../../../src/data/summary.js';
import { dataPage, sampleRows, sampleSheet } from '../../../src/reporting/data-page.js';

/** Makes colour images of one pixel, whose values are all the given one. */
function setOf(train: readonly (readonly [value: number, label: number])[], test?: readonly number[]): Dataset {
  const images = (values: readonly number[]) =>
    ImageStore.from(Uint8Array.from(values.flatMap((value) => [value, value, value])), 3);
  const labels = Uint16Array.from(train, ([, label]) => label);
  return datasetOf({
    name: 'mine',
    height: 1,
    width: 1,
    channels: 3,
    classNames: ['cat', 'dog', 'a <b>'],
    train: { count: train.length, images: images(train.map(([value]) => value)), labels },
    test: test && { count: test.length, images: images(test), labels: new Uint16Array(test.length) },
  });
}

const SET = setOf(
  [
    [1, 0],
    [2, 1],
    [1, 1],
    [3, UNKNOWN],
    [3, UNKNOWN],
    [9, 2],
  ],
  [9, 7],
);

describe('the summary of a data set', () => {
  it('counts images, labels of each class, and what nobody knows', () => {
    const { train, test, classes } = summaryOf(SET);
    expect(train).toEqual({ images: 6, known: 4, unknown: 2 });
    expect(test).toEqual({ images: 2 });
    expect(classes).toEqual([
      { name: 'cat', labels: 1, test: 2 },
      { name: 'dog', labels: 2, test: 0 },
      { name: 'a <b>', labels: 1, test: 0 },
    ]);
    expect(summaryOf(setOf([[1, 0]])).classes[0]).toEqual({ name: 'cat', labels: 1, test: undefined });
  });

  it('finds images that occur twice, those whose labels contradict, and test images that are trained on', () => {
    expect(summaryOf(SET).duplicates).toEqual({ train: 2, contradicting: 1, example: [2, 0], test: 1 });
  });
});

describe('samples', () => {
  it('are spread over the images of each class, and of those without a label', () => {
    const many = setOf(Array.from({ length: 100 }, (_, image) => [image, image < 90 ? 0 : image < 95 ? 1 : UNKNOWN]));
    expect(samplesOf(many, 3)).toEqual({ classes: [[0, 30, 60], [90, 91, 93], []], unlabelled: [95, 96, 98] });
    expect(sampleRows(many).map(({ title }) => title)).toEqual(['cat', 'dog', 'no label']);
  });

  it('make a page and a picture, in colour, with words for each image and nothing that could be markup', () => {
    const page = dataPage(summaryOf(SET), SET, ['a <note>']);
    expect(page.match(/<img [^>]*alt="training image \d: [^"]+"/g)).toHaveLength(6);
    expect(page).toContain('a &lt;b&gt;');
    expect(page).toContain('a &lt;note&gt;');
    const sheet = decode(sampleSheet(SET));
    expect([sheet.width, sheet.height, sheet.channels]).toEqual([2 * 3 + 2, 4 * 3 + 2, 3]);
    const at = (x: number, y: number) => [
      ...sheet.data.slice((y * sheet.width + x) * 3, (y * sheet.width + x) * 3 + 3),
    ];
    expect([at(0, 0), at(2, 2), at(2, 5), at(5, 5)]).toEqual([
      [255, 255, 255],
      [1, 1, 1],
      [2, 2, 2],
      [1, 1, 1],
    ]);
  });
});
