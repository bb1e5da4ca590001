// The reference of the library of products: its definition as plain loops, without vectors or lists.
import type { NativeProducts, Strided } from '../../src/engine/native/native.js';
import { plainConvolution } from './plain-convolution.js';

const of = ({ at, rows, columns }: Strided, i: number, j: number): number => at / 4 + i * rows + j * columns;

export function plainProducts(memory: WebAssembly.Memory): NativeProducts {
  const floats = new Float32Array(memory.buffer);
  return {
    variant: 'plain',
    convolution: (of) => plainConvolution(memory, of),
    product(n, k, m, s, d, c) {
      const result = new Float32Array(n * m);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < m; j++) {
          let sum = 0;
          for (let l = 0; l < k; l++) sum = Math.fround(sum + Math.fround(floats[of(s, i, l)]! * floats[of(d, l, j)]!));
          result[i * m + j] = sum;
        }
      for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) floats[of(c, i, j)] = result[i * m + j]!;
    },
    nearer({ at, row, height, width, own, from }, { neighbours, first, cosines, rows }) {
      for (let r = 0; r < height; r++) {
        const all = Array.from({ length: neighbours }, (_, i) => {
          const place = (first + r) * neighbours + i;
          return [cosines[place]!, rows[place]!] as const;
        });
        for (let c = 0; c < width; c++) if (from + c !== own + r) all.push([floats[at / 4 + r * row + c]!, from + c]);
        // Sorting is stable, so earlier neighbours, which are lower rows, come first.
        const best = all.toSorted((one, other) => (one[0] === other[0] ? 0 : other[0] - one[0])).slice(0, neighbours);
        best.forEach(([cosine, found], i) => {
          cosines[(first + r) * neighbours + i] = cosine;
          rows[(first + r) * neighbours + i] = found;
        });
      }
    },
    list(s, n, k) {
      let count = 0;
      for (let i = 0; i < n; i++) for (let j = 0; j < k; j++) count += Number(floats[of(s, i, j)] !== 0);
      return count;
    },
  };
}
