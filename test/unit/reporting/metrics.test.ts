// Tests the measures of a classifier, on cases small enough to count by hand, and against each other on random ones.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { confusionMatrix } from '../../../src/reporting/confusion.js';
import {
  accuracy,
  classCounts,
  confidenceHistogram,
  meanAndDeviation,
  rightOfClasses,
} from '../../../src/reporting/metrics.js';

const labels = Uint8Array.of(0, 0, 1, 2, 2, 2);
const predicted = Uint8Array.of(0, 1, 1, 2, 0, 2);

describe('accuracy', () => {
  it('is the share of images whose predicted class is their label', () => {
    expect(accuracy(predicted, labels)).toBe(4 / 6);
    expect(accuracy(labels, labels)).toBe(1);
    expect(accuracy(Uint8Array.of(1), Uint8Array.of(0))).toBe(0);
  });
});

describe('confusionMatrix', () => {
  it('counts predictions by label, then by predicted class', () => {
    expect(confusionMatrix(predicted, labels, 3)).toEqual([
      [1, 1, 0],
      [0, 1, 0],
      [1, 0, 2],
    ]);
  });

  it('has the labels in its rows, the predictions in its columns, and the accuracy on its diagonal', () => {
    const pairs = fc.array(fc.tuple(fc.nat(4), fc.nat(4)), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(pairs, (each) => {
        const found = Uint8Array.from(each, ([prediction]) => prediction);
        const expected = Uint8Array.from(each, ([, label]) => label);
        const matrix = confusionMatrix(found, expected, 5);
        const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
        expect(matrix.map(sum)).toEqual(classCounts(expected, 5));
        expect(matrix.map((_, c) => sum(matrix.map((row) => row[c]!)))).toEqual(classCounts(found, 5));
        expect(sum(matrix.map((row, c) => row[c]!)) / each.length).toBe(accuracy(found, expected));
      }),
    );
  });
});

describe('classCounts', () => {
  it('counts each class, also those that nothing has', () => {
    expect(classCounts(labels, 5)).toEqual([2, 1, 3, 0, 0]);
  });
});

describe('meanAndDeviation', () => {
  it('gives the mean and the sample standard deviation', () => {
    expect(meanAndDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({ mean: 5, deviation: Math.sqrt(32 / 7) });
  });

  it('has no deviation for a single value', () => {
    expect(meanAndDeviation([3])).toEqual({ mean: 3, deviation: 0 });
  });
});

describe('confidenceHistogram', () => {
  it('counts each confidence once, in the part it is in; 1 is in the last', () => {
    expect(confidenceHistogram(Float32Array.of(0, 0.24, 0.25, 0.75, 0.99, 1), 4)).toEqual([2, 1, 0, 3]);
  });
});

describe('rightOfClasses', () => {
  it('counts images and right predictions by true class', () => {
    expect(rightOfClasses(predicted, labels, 4)).toEqual({ images: [2, 1, 3, 0], right: [1, 1, 2, 0] });
  });
});
