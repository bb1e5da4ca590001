// Loads TensorFlow's native library, which computes networks of layers.
import { createRequire } from 'node:module';
import { PseudolabelError } from '../errors.js';
import type { Binding } from './binding.js';

/** The binding of tfjs-node for the last version of Node-API that it knows. */
const BINDING = '@tensorflow/tfjs-node/lib/napi-v8/tfjs_binding.node';

/**
 * Loads the binding without the rest of tfjs-node. Loading all of it takes a thread four times as long, and 28 MB of
 * its heap.
 * Throws E_NATIVE if the library is missing or does not load.
 */
export function nativeBinding(): Binding {
  try {
    return createRequire(import.meta.url)(BINDING) as Binding;
  } catch (cause) {
    throw new PseudolabelError(
      'E_NATIVE',
      `TensorFlow's native library does not load: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}`,
      'run `npx pseudolabel setup`: it makes the library ready, or says what is missing',
      { cause },
    );
  }
}
