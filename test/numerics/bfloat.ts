// Defines bfloat16 in the plainest way: the value nearest to a number, found among its two neighbours, and matrices of
// such values.

const pattern = new DataView(new ArrayBuffer(4));

export function floatOf(bits: number): number {
  pattern.setUint32(0, bits);
  return pattern.getFloat32(0);
}

export function bitsOf(value: number): number {
  pattern.setFloat32(0, value);
  return pattern.getUint32(0);
}

/**
 * Returns a float's nearest bfloat16. A tie goes to the one whose last bit is 0. The value after the largest counts as
 * 2^128.
 */
export function nearest(value: number): number {
  if (!Number.isFinite(value)) return value;
  const upper = bitsOf(value) >>> 16;
  const [below, above] = [upper, upper + 1].map((half) => floatOf((half << 16) >>> 0)) as [number, number];
  const beyond = Number.isFinite(above) ? above : Math.sign(value) * 2 ** 128;
  const [toBelow, toAbove] = [Math.abs(value - below), Math.abs(beyond - value)];
  if (toBelow === toAbove) return upper % 2 === 0 ? below : above;
  return toBelow < toAbove ? below : above;
}

/** Returns values as bfloat16 in memory. Other values are truncated. */
export const halvesOf = (values: ArrayLike<number>): Uint16Array =>
  Uint16Array.from(values, (value) => bitsOf(value) >>> 16);

export const valuesOf = (halves: ArrayLike<number>): Float32Array =>
  Float32Array.from(halves, (half) => floatOf((half << 16) >>> 0));
