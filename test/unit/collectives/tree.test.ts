// Tests the tree of sums: the subtrees of any share are whole, disjoint and few, and cover all of it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { halves, type Subtree, subtreesOf } from '../../../src/collectives/tree.js';

const sharesOf = fc.integer({ min: 1, max: 70 }).chain((shards) =>
  fc.record({
    shards: fc.constant(shards),
    owned: fc.uniqueArray(fc.nat({ max: shards - 1 })).map((owned) => new Set(owned)),
  }),
);

const shardsOf = ({ first, count }: Subtree): number[] => Array.from({ length: count }, (_, i) => first + i);

/** Returns every node of the tree, as text. */
function allSubtrees(tree: Subtree): string[] {
  const below = tree.count === 1 ? [] : halves(tree).flatMap(allSubtrees);
  return [`${tree.first}+${tree.count}`, ...below];
}

describe('subtreesOf', () => {
  it('covers the shards of a share, each once and no other, in order', () => {
    fc.assert(
      fc.property(sharesOf, ({ shards, owned }) => {
        expect(subtreesOf(owned, shards).flatMap(shardsOf)).toEqual([...owned].sort((a, b) => a - b));
      }),
    );
  });

  it('names nodes of the tree only, none of which has its other half in the share as well', () => {
    fc.assert(
      fc.property(sharesOf, ({ shards, owned }) => {
        const whole = { first: 0, count: shards };
        const nodes = allSubtrees(whole);
        const found = subtreesOf(owned, shards).map(({ first, count }) => `${first}+${count}`);
        for (const subtree of found) expect(nodes).toContain(subtree);
        const parents = (tree: Subtree): [string, string][] => {
          if (tree.count === 1) return [];
          const [left, right] = halves(tree);
          return [[`${left.first}+${left.count}`, `${right.first}+${right.count}`], ...[left, right].flatMap(parents)];
        };
        for (const [left, right] of parents(whole)) expect(found.includes(left) && found.includes(right)).toBe(false);
      }),
    );
  });

  it.each([
    [[0, 1, 2, 3, 4], 5, ['0+5']],
    [[0, 1, 2, 3], 5, ['0+4']],
    [[1, 2, 3, 4], 8, ['1+1', '2+2', '4+1']],
    [[4, 5, 6], 7, ['4+3']],
    [[], 3, []],
  ] as const)('cuts shards %j of %i into %j', (owned, shards, expected) => {
    const found = subtreesOf(new Set<number>(owned), shards);
    expect(found.map(({ first, count }) => `${first}+${count}`)).toEqual(expected);
  });
});
