// Tests the library of products against a plain loop: every variant of this processor gives the same bits, with and
// without lists.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { listBytes, nativeVariants, openNative, type Strided } from '../../src/engine/native/native.js';
import { plainProducts } from './plain-products.js';
import { uniform } from './shard-task.js';

const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
const floats = new Float32Array(memory.buffer);
const plain = plainProducts(memory);
const variants = nativeVariants().map((variant) => openNative(memory, variant));
const MIB = 2 ** 20;
/** The addresses of s, its lists, d and c. */
const [S, LISTS, D, C] = [64, MIB / 2, 2 * MIB, 3 * MIB] as const;

const of = ({ at, rows, columns }: Strided, i: number, j: number): number => at / 4 + i * rows + j * columns;

/** Returns a matrix [rows, columns] that is stored by rows or, transposed, by columns. */
const strided = (at: number, rows: number, columns: number, transposed: boolean): Strided =>
  transposed ? { at, rows: 1, columns: rows } : { at, rows: columns, columns: 1 };

const cases = fc.record({
  n: fc.integer({ min: 1, max: 40 }),
  k: fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 1, max: 60 }) }, fc.integer({ min: 250, max: 530 })),
  m: fc.integer({ min: 1, max: 100 }),
  transposed: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  density: fc.constantFrom(0, 0.1, 0.5, 1),
  seed: fc.nat(),
});

describe('a product of the library', () => {
  it('has the bits of a plain loop in every variant, whether zeros are skipped or not, and writes nothing else', () => {
    fc.assert(
      fc.property(cases, ({ n, k, m, transposed, density, seed }) => {
        const next = uniform(seed);
        const s = strided(S, n, k, transposed[0]);
        const d = strided(D, k, m, transposed[1]);
        const c = strided(C, n, m, transposed[2]);
        for (let i = 0; i < n * k; i++) floats[S / 4 + i] = next() < density ? next() - 0.5 : 0;
        for (let i = 0; i < k * m; i++) floats[D / 4 + i] = (next() - 0.5) * 2 ** Math.floor(20 * next());
        plain.product(n, k, m, s, d, c, 0);
        const expected = floats.slice(C / 4, C / 4 + n * m);
        const nonZeros = floats.subarray(S / 4, S / 4 + n * k).filter((value) => value !== 0).length;
        for (const native of variants)
          for (const lists of [0, LISTS]) {
            if (lists !== 0) expect(native.list(s, n, k, lists)).toBe(nonZeros);
            floats.fill(7, C / 4 - 16, C / 4 + n * m + 16);
            native.product(n, k, m, s, d, c, lists);
            for (let i = 0; i < n; i++)
              for (let j = 0; j < m; j++)
                if (!Object.is(floats[of(c, i, j)], expected[of(c, i, j) - C / 4]))
                  throw new Error(`${native.variant} ${lists}`);
            for (let i = 1; i <= 16; i++) expect([floats[C / 4 - i], floats[C / 4 + n * m + i - 1]]).toEqual([7, 7]);
          }
      }),
      { numRuns: 150 },
    );
  });

  it('is refused where it would reach out of the memory, or knows no such strides', () => {
    const [native] = variants as [(typeof variants)[0]];
    const [s, d, c] = [strided(S, 4, 4, false), strided(D, 4, 4, false), strided(C, 4, 4, false)];
    const end = { ...d, at: memory.buffer.byteLength - 60 };
    for (const [one, other, third] of [
      [end, d, c],
      [s, end, c],
      [s, d, end],
      [s, { ...d, rows: 2, columns: 2 }, c],
      [s, d, { ...c, rows: 3, columns: 2 }],
    ] as const)
      expect(() => native.product(4, 4, 4, one, other, third, 0)).toThrow(RangeError);
    expect(() => native.product(4, 4, 4, s, d, c, memory.buffer.byteLength - 64)).toThrow(RangeError);
    expect(() => native.list(s, 4, 4, memory.buffer.byteLength - 64)).toThrow(RangeError);
    expect(() => native.product(4, 4, 4, { ...s, at: -4 }, d, c, 0)).toThrow(RangeError);
    expect(listBytes(4, 4)).toBe(64 + 128);
  });

  it('is refused with lists of a matrix that has longer rows', () => {
    const [native] = variants as [(typeof variants)[0]];
    floats.fill(1, S / 4, S / 4 + 64);
    native.list(strided(S, 2, 32, false), 2, 32, LISTS);
    const small = strided(S, 2, 4, false);
    expect(() => native.product(2, 4, 4, small, strided(D, 4, 4, false), strided(C, 2, 4, false), LISTS)).toThrow(
      RangeError,
    );
  });
});

describe('the library', () => {
  it('knows no other variant', () => {
    expect(() => openNative(memory, 'v9')).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
  });
});

describe('the nearest of a tile', () => {
  it('are those of a plain search, in every variant, with equals in the order of their rows', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 7 }),
        fc.integer({ min: 0, max: 40 }),
        fc.nat(),
        (height, width, neighbours, own, seed) => {
          const next = uniform(seed);
          // There are few different values, so that many are equal.
          for (let i = 0; i < 2 * height * 304; i++) floats[S / 4 + i] = Math.floor(20 * next()) / 16;
          const search = ({ nearer }: Pick<(typeof variants)[0], 'nearer'>) => {
            const rows = new Uint32Array((height + 1) * neighbours).fill(9999);
            const found = { neighbours, first: 1, cosines: new Float32Array(rows.length).fill(-2), rows };
            for (const tile of [0, 1])
              nearer({ at: S + tile * height * 304 * 4, row: 304, height, width, own, from: tile * width }, found);
            return found;
          };
          const expected = search(plain);
          for (const native of variants) expect(search(native)).toEqual(expected);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('are refused outside of the memory and of what has been found', () => {
    const [native] = variants as [(typeof variants)[0]];
    const tile = { at: S, row: 8, height: 2, width: 8, own: 0, from: 0 };
    const found = { neighbours: 3, first: 0, cosines: new Float32Array(6), rows: new Uint32Array(6) };
    expect(() => native.nearer({ ...tile, at: memory.buffer.byteLength - 32 }, found)).toThrow(RangeError);
    expect(() => native.nearer(tile, { ...found, first: 1 })).toThrow(RangeError);
    expect(() => native.nearer(tile, { ...found, neighbours: 4 })).toThrow(RangeError);
    expect(() => native.nearer({ ...tile, own: -1 }, found)).toThrow(RangeError);
  });
});
