// Owns the comparison that the contract of a run is about: the same bits, not merely equal numbers.

/** Unlike ===, it tells 0 from -0, and NaN is NaN. */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);
  return bytesOf(a).equals(bytesOf(b));
}
