// The checksum by which two runs, nodes or files are compared for the same parameters, bit for bit.
import { createHash } from 'node:crypto';

/**
 * Returns the hex SHA-256 of the little-endian bytes of `parameters`, padding included. Every platform of TensorFlow's
 * library is little-endian.
 */
export function sha256OfParameters(parameters: Float32Array): string {
  return createHash('sha256').update(parameters).digest('hex');
}
