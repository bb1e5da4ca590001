// Defines the kernel's random bits in the plainest way: four xoshiro128+ generators side by side (Blackman & Vigna
// 2021).
import type { Dropout } from '../../src/models/dense/layer.js';
import { keyOf, laneStates } from '../../src/random.js';

export const states = (seed: number): Uint32Array => laneStates(keyOf(seed, 'mask', 1));

/** Returns the state, followed by room for the bits that the kernel draws at a time. */
export const withRoom = (state: Uint32Array): number[] => [...state, ...new Uint32Array(1024)];

/** Takes the 16 words of laneStates(). Each call returns one 32-bit word of every lane. */
export function laneGenerator(states: Uint32Array): () => number[] {
  const workspaces = [0, 1, 2, 3].map((workspace) =>
    xoshiro128plus([0, 1, 2, 3].map((word) => states[4 * word + workspace]!)),
  );
  return () => workspaces.map((next) => next());
}

function xoshiro128plus(state: number[]): () => number {
  let [a, b, c, d] = state as [number, number, number, number];
  return () => {
    const result = (a + d) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = (d << 11) | (d >>> 21);
    return result;
  };
}

/**
 * Returns the factors that dropout multiplies n floats (a multiple of 8) with. Eight floats use the low halves of the
 * four lanes' words, then the high halves.
 */
export function dropoutFactors(states: Uint32Array, n: number, { keep, scale }: Omit<Dropout, 'random'>): Float32Array {
  const next = laneGenerator(states);
  const factors = new Float32Array(n);
  for (let i = 0; i < n; i += 8) {
    const words = next();
    words.forEach((word, workspace) => {
      factors[i + workspace] = (word & 0xffff) < keep ? scale : 0;
      factors[i + 4 + workspace] = word >>> 16 < keep ? scale : 0;
    });
  }
  return factors;
}
