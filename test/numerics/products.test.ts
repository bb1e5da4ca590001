// The matrix products in shared memory: every transposition, in place and by way of a copy.
import { describe, expect, it } from 'vitest';
import { type Matrix, Products } from '../../src/engine/tensorflow.js';
import { sameBits } from '../bits.js';
import { uniform } from './shard-task.js';

const memory = () => new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });

/** Element [i, j] of a matrix, or of its transpose. */
const at = ({ values, columns }: Matrix, transposed: boolean, i: number, j: number): number =>
  values[transposed ? j * columns + i : i * columns + j]!;

describe.each([true, false])('a product written in place: %s', (inPlace) => {
  it.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])(
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

describe('a matrix', () => {
  it('is refused where TensorFlow would not read it in place', () => {
    expect(() => new Products(memory()).matrix(32, 4, 4)).toThrow(RangeError);
  });
});
