// What set-up consists of, in order, and what is missing of it. Works in a checkout, where it starts from nothing but Node,
// and in an installed package, which comes built and lacks only native libraries.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheRoot } from './cache.mjs';
import { SetupError } from './command.mjs';
import { buildDist, distReady } from './dist.mjs';
import { withLock } from './lock.mjs';
import { nativeReady, prepareNative } from './native.mjs';
import { NODE_TOO_OLD, nodeReady } from './node-version.mjs';
import { installPackages, packagesReady } from './packages.mjs';
import { PRODUCTS, prepareProducts, productsReady } from './products.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const isCheckout = existsSync(join(root, 'src'));

/** @param {NodeJS.WritableStream} output @returns {import('./wheel.mjs').Step} writes one line per step, with seconds */
function stepsTo(output) {
  return async (title, work) => {
    output.write(`setup: ${title} ... `);
    const began = performance.now();
    try {
      const result = await work();
      output.write(`${((performance.now() - began) / 1000).toFixed(1)} s\n`);
      return result;
    } catch (error) {
      output.write('failed\n');
      throw error;
    }
  };
}

/**
 * Does what is missing, one set-up of this user at a time.
 * @param {NodeJS.WritableStream} output where the lines go
 * @throws {SetupError}
 */
export async function setUp(output) {
  if (!nodeReady()) throw new SetupError(NODE_TOO_OLD);
  const step = stepsTo(output);
  /** @type {[ready: () => boolean, prepare: () => Promise<void>][]} */
  const steps = [[nativeReady, () => prepareNative(step)]];
  if (isCheckout) {
    steps.unshift([() => packagesReady(root), () => step('installing packages (npm ci)', () => installPackages(root))]);
    steps.push([() => distReady(root), () => step('building dist', () => buildDist(root))]);
  } else {
    const products = join(root, 'dist', PRODUCTS);
    steps.push([() => productsReady(products), () => step('compiling products', () => prepareProducts(products))]);
  }
  if (steps.every(([ready]) => ready())) {
    output.write('setup: nothing to do\n');
    return;
  }
  const say = (/** @type {string} */ message) => output.write(`setup: ${message}\n`);
  await withLock(join(cacheRoot, 'setup.lock'), say, async () => {
    for (const [ready, prepare] of steps) if (!ready()) await prepare();
  });
  say('ready');
}

/** Runs a command's work; what the user can mend is printed without a stack. @param {() => Promise<void>} work */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    console.error(error instanceof SetupError ? `setup: ${error.message}` : error);
    process.exitCode = 1;
  }
}
