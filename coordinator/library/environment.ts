// Makes TensorFlow compute in the same way in every run. The TensorFlow library reads the environment once, when it is
// loaded, so this file has to be loaded before it.
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { isPinned, pin } from '#environment';
import { PseudolabelError } from '../../src/errors.js';

/** Returns whether any copy of tfjs-node in the program is loaded. All copies share one native library. */
const isLoaded = (): boolean =>
  Object.keys(createRequire(import.meta.url).cache).some((file) => file.endsWith('tfjs_binding.node'));

const wasSet = isPinned(process.env);
/** A thread has a copy of the environment, which native code does not see. */
const inTime = !wasSet && isMainThread && !isLoaded();
if (inTime) pin(process.env);

/** Throws E_NATIVE if TensorFlow may already compute in another way: on several threads, in another order. */
export function checkEnvironment(): void {
  if (wasSet || inTime) return;
  const message = isMainThread
    ? 'TensorFlow.js was loaded before pseudolabel, which could not set how it computes'
    : 'pseudolabel was loaded in a worker thread, which cannot set how TensorFlow computes';
  const first = isMainThread ? 'pseudolabel before @tensorflow/tfjs-node' : 'pseudolabel in the main thread';
  const variables = 'TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 TF_ENABLE_ONEDNN_OPTS=1';
  const fix = `import ${first}, or start Node with ${variables}, and without other variables of this kind`;
  throw new PseudolabelError('E_NATIVE', message, fix);
}
