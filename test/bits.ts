// Compares the bits of two arrays, which is stricter than comparing their numbers.

/** Returns whether two arrays have the same bits. Unlike ===, it tells 0 from -0, and NaN equals NaN. */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);
  return bytesOf(a).equals(bytesOf(b));
}
