// Run in a process of its own: does TensorFlow load and compute here? A library that does not fit the machine may end
// the process instead of throwing. Usage: node probe.mjs <folder of @tensorflow/tfjs-node>

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import util from 'node:util';

// tfjs-node 4.22 calls this function, which Node 23 removed.
util.isNullOrUndefined ??= (value) => value === null || value === undefined;

const tf = createRequire(import.meta.url)(/** @type {string} */ (process.argv[2]));
const product = tf.matMul(
  [
    [1, 2],
    [3, 4],
  ],
  [
    [5, 6],
    [7, 8],
  ],
);
assert.deepEqual([...product.dataSync()], [19, 22, 43, 50]);
