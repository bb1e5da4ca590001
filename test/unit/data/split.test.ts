// Tests the labelled split: it is balanced, disjoint from the validation images, and the same for the same seed.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNKNOWN } from '../../../src/data/dataset.js';
import { type SplitOptions, shareOut, splitLabelled } from '../../../src/data/split.js';
import { PseudolabelError } from '../../../src/errors.js';

const labels = Uint16Array.from({ length: 300 }, (_, row) => (row * row + (row >> 3)) % 3);
/** Returns a set of three classes. */
const setOf = (given: Uint16Array, classNames: readonly string[] = ['0', '1', '2']) => ({
  name: 'mine',
  classNames,
  train: { count: given.length, images: new Uint8Array(given.length), labels: given },
});

const options: SplitOptions = { perClass: 4, kind: 'random', splitSeed: 1, validation: 20 };

const anyOptions = fc.record({
  perClass: fc.integer({ min: 1, max: 20 }),
  kind: fc.constantFrom('first' as const, 'random' as const),
  splitSeed: fc.maxSafeNat(),
  validation: fc.nat(240),
});

function outcomeOf<T>(act: () => T): T | PseudolabelError {
  try {
    return act();
  } catch (error) {
    if (error instanceof PseudolabelError) return error;
    throw error;
  }
}

const ascending = (rows: Uint32Array) => rows.every((row, i) => i === 0 || row > rows[i - 1]!);

describe('splitLabelled', () => {
  it('labels as many of each class, holds back others, and leaves out of the unlabelled images only those held back', () => {
    fc.assert(
      fc.property(anyOptions, (asked) => {
        const { labelled, unlabelled, validation } = splitLabelled(setOf(labels), asked);
        for (const label of [0, 1, 2]) {
          expect(labelled.filter((row) => labels[row] === label)).toHaveLength(asked.perClass);
        }
        expect(labelled).toHaveLength(3 * asked.perClass);
        expect(validation).toHaveLength(asked.validation);
        expect([...unlabelled, ...validation].sort((a, b) => a - b)).toEqual([...labels.keys()]);
        expect(labelled.every((row) => unlabelled.includes(row))).toBe(true);
        expect([labelled, unlabelled, validation].every(ascending)).toBe(true);
      }),
    );
  });

  it('takes all labels that are known, where it is asked for them, and validates on some of those (case 3)', () => {
    const anyLabels = fc
      .uint8Array({ minLength: 1, maxLength: 80, max: 3 })
      .map((known) => Uint16Array.from([0, 1, 2, ...known], (label) => (label < 3 ? label : UNKNOWN)));
    fc.assert(
      fc.property(anyLabels, fc.nat(20), fc.nat(9), (given, validation, splitSeed) => {
        const known = [...given.keys()].filter((row) => given[row] !== UNKNOWN);
        const outcome = outcomeOf(() =>
          splitLabelled(setOf(given), { perClass: 'all', kind: 'first', splitSeed, validation }),
        );
        if (outcome instanceof PseudolabelError) {
          expect(outcome.code).toBe('E_SPLIT_TOO_FEW');
          expect(validation).toBeGreaterThan(0);
          return;
        }
        expect([...outcome.labelled, ...outcome.validation].sort((a, b) => a - b)).toEqual(known);
        expect(outcome.validation).toHaveLength(validation);
        for (const label of [0, 1, 2]) expect(outcome.labelled.some((row) => given[row] === label)).toBe(true);
        expect([...outcome.unlabelled, ...outcome.validation].sort((a, b) => a - b)).toEqual([...given.keys()]);
        expect([outcome.labelled, outcome.unlabelled, outcome.validation].every(ascending)).toBe(true);
      }),
    );
  });

  it('takes some of each class of partly known labels, and validates on other known ones alone (case 3)', () => {
    const given = Uint16Array.from(labels, (label, row) => (row % 5 === 0 ? label : UNKNOWN));
    const { labelled, unlabelled, validation } = splitLabelled(setOf(given), options);
    for (const label of [0, 1, 2]) expect(labelled.filter((row) => given[row] === label)).toHaveLength(4);
    expect(validation).toHaveLength(20);
    expect([...labelled, ...validation].every((row) => given[row] !== UNKNOWN)).toBe(true);
    expect(validation.some((row) => labelled.includes(row))).toBe(false);
    expect([...unlabelled, ...validation].sort((a, b) => a - b)).toEqual([...given.keys()]);
  });

  it('refuses what leaves a class without a label, and labels that tell no two classes apart (case 3)', () => {
    const all = { perClass: 'all', kind: 'first', splitSeed: 0, validation: 0 } as const;
    const split = (given: Uint16Array, asked: SplitOptions, names?: string[]) =>
      outcomeOf(() => splitLabelled(setOf(given, names), asked));
    const both = Uint16Array.of(0, 1, UNKNOWN);
    expect(split(both, { ...all, validation: 1 }, ['3', '8'])).toMatchObject({
      code: 'E_SPLIT_TOO_FEW',
      message: expect.stringContaining('1 validation images of 2 labelled ones would leave a class without a label'),
    });
    expect(split(Uint16Array.of(UNKNOWN, UNKNOWN), all)).toMatchObject({
      code: 'E_DATA_CLASSES',
      fix: expect.stringContaining('--labels FILE'),
    });
    expect(split(Uint16Array.of(0, 0, UNKNOWN), all, ['5'])).toMatchObject({
      code: 'E_DATA_CLASSES',
      message: expect.stringContaining('that are known are 5'),
    });
    expect(split(both, { ...all, perClass: 2 }, ['3', '8'])).toMatchObject({
      code: 'E_SPLIT_TOO_FEW',
      message: expect.stringContaining('Class 3 has 1 training images with labels'),
      fix: expect.stringContaining('--labels-per-class 1, or all'),
    });
  });

  it('holds back of each class in proportion to its labels, and never its last one', () => {
    const counts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(counts, fc.double({ min: 0, max: 1, noNaN: true }), (known, share) => {
        const all = known.reduce((sum, images) => sum + images, 0);
        const count = Math.floor(share * (all - known.length));
        const taken = shareOut(known, count);
        expect(taken.reduce((sum, images) => sum + images, 0)).toBe(count);
        for (const [each, images] of known.entries()) {
          expect(taken[each]).toBeLessThan(images);
          const exact = (images * count) / all;
          expect(taken[each]).toBeGreaterThanOrEqual(Math.min(images - 1, Math.floor(exact)));
        }
      }),
    );
    expect(shareOut([100, 50, 50, 1], 20)).toEqual([10, 5, 5, 0]);
  });

  it("takes the first of each class in file order for kind 'first', whatever the seed", () => {
    const few = Uint16Array.of(1, 1, 0, 1, 0, 0, 2, 2);
    for (const splitSeed of [0, 1]) {
      const { labelled } = splitLabelled(setOf(few), { perClass: 2, kind: 'first', splitSeed, validation: 0 });
      expect([...labelled]).toEqual([0, 1, 2, 4, 6, 7]);
    }
  });

  it('gives the same split for the same seed and another for another seed', () => {
    const split = splitLabelled(setOf(labels), options);
    expect(splitLabelled(setOf(labels), { ...options })).toEqual(split);
    const other = splitLabelled(setOf(labels), { ...options, splitSeed: 2 });
    expect(other.labelled).not.toEqual(split.labelled);
    expect(other.validation).not.toEqual(split.validation);
  });

  it("draws the validation images by the seed for kind 'first' too", () => {
    const [one, two] = [1, 2].map((splitSeed) =>
      splitLabelled(setOf(labels), { ...options, kind: 'first', splitSeed }),
    );
    expect(one!.validation).not.toEqual(two!.validation);
  });

  it('draws every image of a class about as often', () => {
    const few = Uint16Array.of(0, 1, 0, 1, 0, 1, 0, 1);
    const times = new Uint32Array(8);
    for (let splitSeed = 0; splitSeed < 4000; splitSeed++) {
      const { labelled } = splitLabelled(setOf(few, ['0', '1']), {
        perClass: 1,
        kind: 'random',
        splitSeed,
        validation: 0,
      });
      for (const row of labelled) times[row]! += 1;
    }
    // The expectation is 1000, with a standard deviation of 27.
    for (const count of times) expect(Math.abs(count - 1000)).toBeLessThan(4 * 28);
  });

  it('refuses more labels than a class has, or a class without images, and names it', () => {
    const few = Uint16Array.of(0, 0, 2, 2, 1);
    const ask = (given: Uint16Array, perClass: number) => () =>
      splitLabelled(setOf(given), { perClass, kind: 'first', splitSeed: 0, validation: 0 });
    expect(ask(few, 2)).toThrow(
      expect.objectContaining({ code: 'E_SPLIT_TOO_FEW', message: expect.stringMatching(/Class 1 has 1 /) }),
    );
    expect(ask(few.subarray(0, 4), 1)).toThrow(
      expect.objectContaining({ code: 'E_SPLIT_TOO_FEW', message: expect.stringMatching(/Class 1 has 0 /) }),
    );
  });

  it('refuses more validation images than are not labelled', () => {
    expect(splitLabelled(setOf(labels), { ...options, validation: 288 }).validation).toHaveLength(288);
    expect(() => splitLabelled(setOf(labels), { ...options, validation: 289 })).toThrow(
      expect.objectContaining({ code: 'E_SPLIT_TOO_FEW', message: expect.stringContaining('288') }),
    );
  });
});
