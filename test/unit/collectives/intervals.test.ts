// Tests sets of ranges against sets of numbers.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Intervals } from '../../../src/collectives/intervals.js';

const ends = fc.tuple(fc.nat(30), fc.nat(30));
const changes = fc.array(fc.record({ adds: fc.boolean(), ends }), { maxLength: 12 });

it('Intervals know what is missing after any additions and removals, in as few ranges as there are gaps', () => {
  fc.assert(
    fc.property(changes, ends, (list, [start, end]) => {
      const intervals = new Intervals();
      const oracle = new Set<number>();
      for (const {
        adds,
        ends: [first, last],
      } of list) {
        if (adds) intervals.add(first, last);
        else intervals.remove(first, last);
        for (let i = first; i < last; i++) {
          if (adds) oracle.add(i);
          else oracle.delete(i);
        }
      }
      const missing = intervals.missing(start, end);
      const numbers = Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i);
      expect(missing.flatMap(([first, last]) => numbers.filter((i) => i >= first && i < last))).toEqual(
        numbers.filter((i) => !oracle.has(i)),
      );
      missing.forEach(([first, last], i) => {
        expect(first).toBeLessThan(last);
        if (i > 0) expect(missing[i - 1]![1]).toBeLessThan(first);
      });
    }),
    { numRuns: 500 },
  );
});
