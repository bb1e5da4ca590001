// Decodes a folder of pictures as a first start does, from the listing to the file that is kept. Prints how long that took.
// node decode-pictures.mjs FOLDER CACHE THREADS

import { rmSync } from 'node:fs';
import { loadDataset } from '../../dist/src/data/load.js';
import { ThreadedDecoder } from '../../dist/worker/decoder.js';

const [data, cache, threads] = process.argv.slice(2);
rmSync(cache, { recursive: true, force: true });
const began = performance.now();
await loadDataset({ data, cache }, { decoder: new ThreadedDecoder({ threads: Number(threads) }) });
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1000 }));
