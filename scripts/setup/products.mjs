// Compiles the products of dense networks (src/engine/native/), each variant for its kind of processor, with the C++ compiler alone. It is
// Node-API code, so that one library serves every Node version; it is kept in the user's cache, by what it is made of.

import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cacheRoot } from './cache.mjs';
import { available, run, SetupError } from './command.mjs';

/** Below dist/ and the root of a checkout. */
export const PRODUCTS = 'src/engine/native';
export const PRODUCTS_SOURCES = [
  ...['binding.cc', 'binding.h', 'convolution-binding.cc'],
  ...['products.cc', 'products.h', 'convolution.cc', 'convolution-gradients.cc', 'convolution.h', 'vectors.h'],
  'neighbours.cc',
];
/** Compiled once for each kind of processor. */
const OF_A_VARIANT = ['products', 'convolution', 'convolution-gradients', 'neighbours'];

/** No contraction to fused multiply-adds, which not every processor has: the bits of a sum would be others. */
const FLAGS = [
  '-O3',
  '-std=c++17',
  '-fPIC',
  '-ffp-contract=off',
  '-fno-exceptions',
  '-fno-rtti',
  '-fvisibility=hidden',
];
const AVX2 = ['-mavx2', '-mbmi', '-mbmi2', '-mlzcnt'];
const AVX512 = ['f', 'bw', 'cd', 'dq', 'vl'].map((part) => `-mavx512${part}`);

/** @type {Readonly<Record<string, readonly (readonly [name: string, vector: number, flags: readonly string[]])[]>>} */
const VARIANTS = {
  x64: [
    ['v4', 64, [...AVX2, ...AVX512, '-mprefer-vector-width=512']],
    ['v3', 32, AVX2],
    ['v1', 16, []],
  ],
  other: [['generic', 16, []]],
};
const variants = VARIANTS[process.arch] ?? /** @type {NonNullable<typeof VARIANTS.other>} */ (VARIANTS.other);

/** The library's name. */
export const library = `products-${process.platform}-${process.arch}.node`;

/** Command lines of C++ compilers that may be there, best first. */
export function compilers() {
  const chosen = process.env.CXX?.split(/\s+/).filter(Boolean) ?? [];
  return [...(chosen.length > 0 ? [chosen] : []), ['c++'], ['g++'], ['clang++']];
}

/** @param {string} folder that has the sources @returns {boolean} whether the library lies beside them */
export function productsReady(folder) {
  return existsSync(join(folder, library));
}

/**
 * Puts the library beside the sources.
 * @param {string} folder
 * @throws {SetupError} where there is no compiler, or with what it says
 */
export async function prepareProducts(folder) {
  const cached = join(cacheRoot, `products-${keyOf(folder)}.node`);
  if (!existsSync(cached)) await compile(folder, cached);
  copyFileSync(cached, join(folder, `${library}.new`));
  renameSync(join(folder, `${library}.new`), join(folder, library));
}

/** @param {string} folder */
function keyOf(folder) {
  const hash = createHash('sha256').update(JSON.stringify([FLAGS, variants, process.platform, process.arch, 1]));
  for (const source of PRODUCTS_SOURCES) hash.update(readFileSync(join(folder, source)));
  return hash.digest('hex').slice(0, 16);
}

/** @param {string} folder @param {string} to */
async function compile(folder, to) {
  const [compiler] = await available(compilers(), ['--version']);
  if (compiler === undefined)
    throw new SetupError('no C++ compiler (CXX, c++, g++, clang++); Debian, Ubuntu: apt-get install g++');
  const [program, ...rest] = /** @type {[string, ...string[]]} */ (compiler);
  const tool = (/** @type {string[]} */ ...args) => run(program, [...rest, ...FLAGS, ...args], { seconds: 300 });
  mkdirSync(cacheRoot, { recursive: true });
  const work = mkdtempSync(join(cacheRoot, 'products-'));
  const nodeApi = dirname(createRequire(import.meta.url).resolve('node-api-headers/include/node_api.h'));
  try {
    const objects = variants.flatMap(([name, vector, flags]) =>
      OF_A_VARIANT.map(async (source) => {
        const object = join(work, `${source}-${name}.o`);
        const defined = [`-DVARIANT=${name}`, `-DVECTOR=${vector}`];
        await tool(...flags, ...defined, '-c', join(folder, `${source}.cc`), '-o', object);
        return object;
      }),
    );
    const open = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : [];
    const made = join(work, library);
    const bindings = ['binding.cc', 'convolution-binding.cc'].map((source) => join(folder, source));
    const binding = ['-DNAPI_VERSION=8', '-I', nodeApi, ...bindings];
    await tool('-shared', ...open, ...binding, ...(await Promise.all(objects)), '-o', made);
    renameSync(made, to);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
