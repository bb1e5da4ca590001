// The matrix products in shared memory: every transposition, in place and by way of a copy.
import { describe, expect, it } from 'vitest';
import { type Matrix, Products } from '../../src/engine/tensorflow.js';
import { BF16 } from '../bf16.js';
import { sameBits } from '../bits.js';
import { halvesOf, nearest, valuesOf } from './bfloat.js';
import { uniform } from './shard-task.js';

const memory = () => new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });

/** Element [i, j] of a matrix, or of its transpose. */
const at = ({ values, columns }: Matrix, transposed: boolean, i: number, j: number): number =>
  values[transposed ? j * columns + i : i * columns + j]!;

const TRANSPOSITIONS = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

describe.each([true, false])('a product written in place: %s', (inPlace) => {
  it.each(TRANSPOSITIONS)(
    'is that of its operands, transposed where said so (%s, %s), and of what they hold now',
    (transposeA, transposeB) => {
      const products = new Products(memory());
      expect(products.writesInPlace).toBe(true);
      Object.assign(products, { writesInPlace: inPlace });
      const [rows, inner, columns] = [5, 7, 3];
      const a = products.matrix(0, ...(transposeA ? ([inner, rows] as const) : ([rows, inner] as const)));
      const b = products.matrix(1024, ...(transposeB ? ([columns, inner] as const) : ([inner, columns] as const)));
      const to = products.matrix(2048, rows, columns);
      const next = uniform(1);
      for (let round = 0; round < 2; round++) {
        for (const { values } of [a, b]) values.set(values.map(() => next() - 0.5));
        products.multiply(a, transposeA, b, transposeB, to);
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < columns; j++) {
            let expected = 0;
            for (let k = 0; k < inner; k++) expected += at(a, transposeA, i, k) * at(b, transposeB, k, j);
            expect(to.values[i * columns + j]).toBeCloseTo(expected, 6);
          }
        }
      }
    },
  );
});

describe('the two ways of writing a product', () => {
  it('give the same bits, to the result alone', () => {
    const [inPlace, copied] = [true, false].map((writesInPlace) => {
      const shared = memory();
      const all = new Float32Array(shared.buffer);
      const next = uniform(2);
      all.forEach((_, i) => {
        all[i] = next();
      });
      const products = Object.assign(new Products(shared), { writesInPlace });
      const a = products.matrix(0, 40, 30);
      const b = products.matrix(8192, 30, 20);
      products.multiply(a, false, b, false, products.matrix(16384, 40, 20));
      return all;
    }) as [Float32Array, Float32Array];
    expect(sameBits(inPlace, copied)).toBe(true);
  });
});

const WAYS = BF16.flatMap((precision) => [true, false].map((inPlace) => [precision, inPlace] as const));

describe.each(WAYS)('a product of %s written in place: %s', (precision, inPlace) => {
  it.each(TRANSPOSITIONS)(
    'is a sum of floats, rounded once (%s, %s), of what the operands hold now',
    (transposeA, transposeB) => {
      const shared = memory();
      const products = Object.assign(new Products(shared), { writesInPlace: inPlace });
      const [rows, inner, columns] = [6, 150, 8];
      const place = (offset: number, [r, c]: readonly [number, number]) => ({
        matrix: products.matrix(offset, r, c, precision),
        halves: new Uint16Array(shared.buffer, offset, r * c),
        at: (transposed: boolean, i: number, j: number) => (transposed ? j * c + i : i * c + j),
      });
      const a = place(0, transposeA ? [inner, rows] : [rows, inner]);
      const b = place(8192, transposeB ? [columns, inner] : [inner, columns]);
      const to = place(16384, [rows, columns]);
      const next = uniform(3);
      for (let round = 0; round < 2; round++) {
        // Whole numbers, whose sums floats hold exactly and bfloat16 does not.
        const [left, right] = [a, b].map(({ halves }) => halves.map(() => Math.floor(32 * next()))) as [
          Uint16Array,
          Uint16Array,
        ];
        a.halves.set(halvesOf(left));
        b.halves.set(halvesOf(right));
        products.multiply(a.matrix, transposeA, b.matrix, transposeB, to.matrix);
        const found = valuesOf(to.halves);
        for (let i = 0; i < rows; i++) {
          for (let j = 0; j < columns; j++) {
            let expected = 0;
            for (let k = 0; k < inner; k++) expected += left[a.at(transposeA, i, k)]! * right[b.at(transposeB, k, j)]!;
            expect(found[i * columns + j]).toBe(nearest(expected));
          }
        }
      }
    },
  );
});

describe('a matrix', () => {
  it('of bfloat16 is refused where it has an odd number of elements, which are copied in pairs', () => {
    expect(() => new Products(memory()).matrix(64, 3, 5, 'bf16')).toThrow(RangeError);
  });

  it('is refused where TensorFlow would not read it in place', () => {
    expect(() => new Products(memory()).matrix(32, 4, 4)).toThrow(RangeError);
  });
});
