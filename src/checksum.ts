// The checksum that tells whether two runs, nodes or files hold the same parameters, bit for bit.
import { createHash } from 'node:crypto';

/** Hex SHA-256 over the little-endian bytes of `parameters`, padding included; every platform of TensorFlow's library is little-endian. */
export function sha256OfParameters(parameters: Float32Array): string {
  return createHash('sha256').update(parameters).digest('hex');
}
