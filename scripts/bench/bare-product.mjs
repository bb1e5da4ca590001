// Measures TensorFlow's bare matrix product of 60,000 x 784 and 784 x 5000 floats, spread over worker threads of one
// intra-op thread each: the bound that labelling 60,000 images is held against. Prints one JSON line: the fastest of
// several batch sizes. node bare-product.mjs WORKERS

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { nativeBinding } from '../../dist/src/engine/tensorflow.js';

const IMAGES = 60_000;
const BATCHES = [256, 512, 1000, 2000];

if (isMainThread) await measure(Number(process.argv[2] ?? 2));
else multiplyOnRequest();

async function measure(count) {
  // The binding keeps the names of attributes in one set without a lock: this uses them all before there are threads.
  multiplier(1);
  const threads = Array.from(
    { length: count },
    () => new Worker(fileURLToPath(import.meta.url), { workerData: { rows: IMAGES / count } }),
  );
  const seconds = {};
  for (const batch of BATCHES) {
    const runs = [];
    for (let run = 0; run < 3; run++) {
      const began = performance.now();
      const ended = threads.map((thread) => once(thread, 'message'));
      for (const thread of threads) thread.postMessage(batch);
      await Promise.all(ended);
      runs.push((performance.now() - began) / 1000);
    }
    seconds[batch] = Math.round(runs.sort((a, b) => a - b)[1] * 1000) / 1000;
  }
  for (const thread of threads) await thread.terminate();
  console.log(
    JSON.stringify({ workers: count, product_60k_s: Math.min(...Object.values(seconds)), by_batch: seconds }),
  );
}

/** Multiplies so many images once, and returns a function that multiplies others. */
function multiplier(first) {
  const binding = nativeBinding();
  const tensor = (rows, columns) => {
    const values = Float32Array.from({ length: rows * columns }, (_, i) => (i % 7) / 7);
    return binding.createTensor([rows, columns], binding.TF_FLOAT, values);
  };
  const weights = tensor(784, 5000);
  const images = new Map();
  const attributes = [
    { name: 'transpose_a', type: binding.TF_ATTR_BOOL, value: false },
    { name: 'transpose_b', type: binding.TF_ATTR_BOOL, value: false },
    { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
  ];
  const multiply = (batch) => {
    if (!images.has(batch)) images.set(batch, tensor(batch, 784));
    const [product] = binding.executeOp('MatMul', attributes, [images.get(batch), weights], 1);
    binding.deleteTensor(product.id);
  };
  multiply(first);
  return multiply;
}

function multiplyOnRequest() {
  const multiply = multiplier(BATCHES.at(-1));
  parentPort.on('message', (batch) => {
    for (let done = 0; done < workerData.rows; done += batch) multiply(batch);
    parentPort.postMessage('done');
  });
}
