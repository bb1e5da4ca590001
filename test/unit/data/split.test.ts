// The labelled split: balanced, disjoint from the validation images, and the same for the same seed.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type SplitOptions, splitLabelled } from '../../../src/data/split.js';

const labels = Uint8Array.from({ length: 300 }, (_, row) => (row * row + (row >> 3)) % 3);
const options: SplitOptions = { perClass: 4, kind: 'random', splitSeed: 1, validation: 20 };

const anyOptions = fc.record<SplitOptions>({
  perClass: fc.integer({ min: 1, max: 20 }),
  kind: fc.constantFrom('first', 'random'),
  splitSeed: fc.maxSafeNat(),
  validation: fc.nat(240),
});

const ascending = (rows: Uint32Array) => rows.every((row, i) => i === 0 || row > rows[i - 1]!);

describe('splitLabelled', () => {
  it('labels as many of each class, holds back others, and leaves out of the unlabelled images only those held back', () => {
    fc.assert(
      fc.property(anyOptions, (asked) => {
        const { labelled, unlabelled, validation } = splitLabelled(labels, asked);
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

  it("takes the first of each class in file order for kind 'first', whatever the seed", () => {
    const few = Uint8Array.of(1, 1, 0, 1, 0, 0, 2, 2);
    for (const splitSeed of [0, 1]) {
      const { labelled } = splitLabelled(few, { perClass: 2, kind: 'first', splitSeed, validation: 0 });
      expect([...labelled]).toEqual([0, 1, 2, 4, 6, 7]);
    }
  });

  it('gives the same split for the same seed and another for another seed', () => {
    const split = splitLabelled(labels, options);
    expect(splitLabelled(labels, { ...options })).toEqual(split);
    const other = splitLabelled(labels, { ...options, splitSeed: 2 });
    expect(other.labelled).not.toEqual(split.labelled);
    expect(other.validation).not.toEqual(split.validation);
  });

  it("draws the validation images by the seed for kind 'first' too", () => {
    const [one, two] = [1, 2].map((splitSeed) => splitLabelled(labels, { ...options, kind: 'first', splitSeed }));
    expect(one!.validation).not.toEqual(two!.validation);
  });

  it('draws every image of a class about as often', () => {
    const few = Uint8Array.of(0, 1, 0, 1, 0, 1, 0, 1);
    const times = new Uint32Array(8);
    for (let splitSeed = 0; splitSeed < 4000; splitSeed++) {
      const { labelled } = splitLabelled(few, { perClass: 1, kind: 'random', splitSeed, validation: 0 });
      for (const row of labelled) times[row]! += 1;
    }
    // 1000 expected, standard deviation 27.
    for (const count of times) expect(Math.abs(count - 1000)).toBeLessThan(4 * 28);
  });

  it('refuses more labels than a class has, or a class without images, and names it', () => {
    const few = Uint8Array.of(0, 0, 2, 2, 1);
    const ask = (given: Uint8Array, perClass: number) => () =>
      splitLabelled(given, { perClass, kind: 'first', splitSeed: 0, validation: 0 });
    expect(ask(few, 2)).toThrow(
      expect.objectContaining({ code: 'E_SPLIT_TOO_FEW', message: expect.stringMatching(/Class 1 has 1 /) }),
    );
    expect(ask(few.subarray(0, 4), 1)).toThrow(
      expect.objectContaining({ code: 'E_SPLIT_TOO_FEW', message: expect.stringMatching(/Class 1 has 0 /) }),
    );
  });

  it('refuses more validation images than are not labelled', () => {
    expect(splitLabelled(labels, { ...options, validation: 288 }).validation).toHaveLength(288);
    expect(() => splitLabelled(labels, { ...options, validation: 289 })).toThrow(
      expect.objectContaining({ code: 'E_SPLIT_TOO_FEW', message: expect.stringContaining('288') }),
    );
  });
});
