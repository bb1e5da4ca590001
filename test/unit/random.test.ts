// Tests the random streams: known answers, uniformity on fixed seeds (these tests are deterministic and cannot flake),
// and independence of keys.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyOf, laneStates, Stream } from '../../src/random.js';

const MAX_SEED = Number.MAX_SAFE_INTEGER;

/**
 * Returns Pearson's statistic against equal counts, standardised: (statistic - df) / sqrt(2 df) is close to standard
 * normal for many bins.
 */
function deviation(counts: ArrayLike<number>): number {
  const all = Array.from(counts);
  const expected = all.reduce((sum, n) => sum + n, 0) / all.length;
  const statistic = all.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  return (statistic - (all.length - 1)) / Math.sqrt(2 * (all.length - 1));
}

describe('keyOf', () => {
  it('gives the words that an independent program in C computes', () => {
    expect([...keyOf(42, 'mask', 3, 1)]).toEqual([3673688432, 2474525972, 1099798732, 3891153634]);
    expect([...keyOf(MAX_SEED, 'init')]).toEqual([3132084483, 174072373, 2248517442, 1983524393]);
  });

  it('tells apart seeds, also in their high halves, purposes, parts, and their number', () => {
    const keys = [
      keyOf(1, 'mask', 0),
      keyOf(1 + 2 ** 32, 'mask', 0),
      keyOf(MAX_SEED, 'mask', 0),
      keyOf(1, 'noise', 0),
      keyOf(1, 'mask'),
      keyOf(1, 'mask', 0, 0),
      keyOf(1, 'mask', 1),
      keyOf(1, 'mask', 1, 0),
      keyOf(1, 'mask', 0, 1),
      keyOf(1, 'mask', 2 ** 32),
    ];
    expect(new Set(keys.map(String)).size).toBe(keys.length);
  });

  it('flips about half of its 128 bits when one bit of the seed or of a part flips', () => {
    const bitsApart = (a: Uint32Array, b: Uint32Array) =>
      a.reduce((sum, word, i) => sum + ((word ^ b[i]!) >>> 0).toString(2).replaceAll('0', '').length, 0);
    const distances = Array.from({ length: 500 }, (_, n) => {
      const bit = 2 ** (n % 32);
      return [
        bitsApart(keyOf(n, 'mask', n), keyOf((n ^ bit) >>> 0, 'mask', n)),
        bitsApart(keyOf(n, 'mask', n), keyOf(n, 'mask', (n ^ bit) >>> 0)),
      ];
    }).flat();
    const mean = distances.reduce((sum, d) => sum + d, 0) / distances.length;
    expect(Math.abs(mean - 64)).toBeLessThan(1);
    expect(Math.min(...distances)).toBeGreaterThan(64 - 6 * Math.sqrt(32));
  });

  it('gives first words without a pattern over consecutive steps', () => {
    const counts = new Uint32Array(256);
    for (let step = 0; step < 25_600; step++) counts[keyOf(7, 'noise', step)[0]! >>> 24]! += 1;
    expect(Math.abs(deviation(counts))).toBeLessThan(4);
  });
});

describe('laneStates', () => {
  it('gives each lane the words that an independent program in C computes, word by word over the lanes', () => {
    const states = laneStates(keyOf(42, 'mask', 3, 1));
    const workspaces = [0, 1, 2, 3].map((workspace) => [0, 1, 2, 3].map((word) => states[4 * word + workspace]));
    expect(workspaces).toEqual([
      [2230188034, 1864474763, 3436037028, 3291670484],
      [2185572142, 2471892200, 2970198852, 2195854548],
      [1161726978, 765839342, 2790737701, 3092960241],
      [262526188, 3726035399, 3664953544, 4154019481],
    ]);
  });
});

describe('Stream', () => {
  it('is xoshiro128**: the published algorithm in C, from the state 1, 2, 3, 4', () => {
    const stream = new Stream(Uint32Array.of(1, 2, 3, 4));
    expect(Array.from({ length: 10 }, () => stream.nextUint32())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it('leaves its key as it was, so that the key starts the same stream again', () => {
    const key = keyOf(1, 'init');
    expect(new Stream(key).permutation(50)).toEqual(new Stream(key).permutation(50));
  });

  it('draws uniform numbers that are uniform, in [0, 1), and exact in 32 bits', () => {
    const stream = new Stream(keyOf(3, 'init'));
    const counts = new Uint32Array(100);
    for (let i = 0; i < 50_000; i++) {
      const x = stream.uniform();
      if (!(x >= 0 && x < 1 && Math.fround(x) === x)) expect.fail(`drew ${x}`);
      counts[Math.floor(100 * x)]! += 1;
    }
    expect(Math.abs(deviation(counts))).toBeLessThan(4);
  });

  it('draws below n without a bias, also where a plain remainder would have one', () => {
    const n = 3 * 2 ** 30; // a plain remainder would draw the first third twice as often
    const stream = new Stream(keyOf(4, 'init'));
    const counts = new Uint32Array(99);
    for (let i = 0; i < 50_000; i++) counts[Math.floor((stream.below(n) / n) * 99)]! += 1;
    expect(Math.abs(deviation(counts))).toBeLessThan(4);
  });

  it('draws below n within the range', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, n) => {
        const x = new Stream(keyOf(seed, 'init')).below(n);
        expect(Number.isInteger(x) && x >= 0 && x < n).toBe(true);
      }),
    );
  });

  it('draws permutations that are bijections', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(300), (seed, n) => {
        const sorted = new Stream(keyOf(seed, 'split')).permutation(n).sort();
        expect([...sorted]).toEqual([...Array(n).keys()]);
      }),
    );
  });

  it('draws each permutation of four as often as the others', () => {
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 12_000; seed++) {
      const p = String(new Stream(keyOf(seed, 'split')).permutation(4));
      counts.set(p, (counts.get(p) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    expect(Math.abs(deviation([...counts.values()]))).toBeLessThan(4);
  });

  it('draws normal numbers with the moments and the tail of the normal distribution', () => {
    const stream = new Stream(keyOf(5, 'init'));
    const n = 50_000;
    const xs = Array.from({ length: n }, () => stream.normal());
    const moment = (power: number) => xs.reduce((sum, x) => sum + x ** power, 0) / n;
    // Each bound is four standard errors.
    expect(Math.abs(moment(1))).toBeLessThan(4 * Math.sqrt(1 / n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
    const beyond2 = xs.filter((x) => Math.abs(x) > 2).length / n;
    expect(Math.abs(beyond2 - 0.0455)).toBeLessThan(4 * Math.sqrt((0.0455 * 0.9545) / n));
  });
});
