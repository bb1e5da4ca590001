// Owns the framing of TFRecord files, which event files are (tensorflow/core/lib/io/record_writer.h):
//
//   length (uint64) | masked CRC-32C of the length (uint32) | data | masked CRC-32C of the data (uint32)        little-endian
import { crc32c } from './crc32c.js';

/** A rotation and a constant: checksums of data that contains checksums are bad ones (tensorflow/core/lib/hash/crc32c.h, Mask). */
export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

export function recordOf(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(data.length + 16);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(masked(crc32c(record.subarray(0, 8))), 8);
  record.set(data, 12);
  record.writeUInt32LE(masked(crc32c(data)), 12 + data.length);
  return record;
}
