// Builds dist/: TypeScript to JavaScript, the AssemblyScript kernel to WebAssembly, the C++ products to a library. Remembers what it was built from.

import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.mjs';
import { PRODUCTS, PRODUCTS_SOURCES, prepareProducts, productsReady } from './products.mjs';

const SOURCES = [
  'src',
  'coordinator',
  'worker',
  'tsconfig.json',
  'package-lock.json',
  'scripts/setup/dist.mjs',
  'scripts/setup/products.mjs',
];
const KERNEL = 'src/engine/kernel';
/** What the dashboard serves as it is. */
const PAGE = ['coordinator/dashboard/page/index.html', 'coordinator/dashboard/page/page.css'];

/** Hash of the path and content of everything dist/ is made from. @param {string} root */
function sourceHash(root) {
  const hash = createHash('sha256');
  const add = (/** @type {string} */ path) => {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\n${content.length}\n`).update(content);
  };
  const walk = (/** @type {string} */ path) => {
    const items = readdirSync(join(root, path), { withFileTypes: true });
    for (const item of items.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (item.isDirectory()) walk(`${path}/${item.name}`);
      else add(`${path}/${item.name}`);
    }
  };
  for (const source of SOURCES) {
    if (/\.\w+$/.test(source)) add(source);
    else if (existsSync(join(root, source))) walk(source);
  }
  return hash.digest('hex');
}

/** @param {string} root @returns {boolean} whether dist/ was built from the sources as they are */
export function distReady(root) {
  const stamp = join(root, 'dist', '.built-from');
  return (
    existsSync(stamp) && productsReady(join(root, 'dist', PRODUCTS)) && readFileSync(stamp, 'utf8') === sourceHash(root)
  );
}

/**
 * Builds beside dist/ and swaps it in when complete: a failing build leaves the old one, and no file of a deleted source
 * stays behind. The folder has the depth of dist/, which the source maps rely on.
 * @param {string} root
 * @throws {import('./command.mjs').SetupError} with what the compiler says
 */
export async function buildDist(root) {
  const hash = sourceHash(root); // before compiling: an edit during the build makes it stale, not fresh
  const next = `dist.${process.pid}`;
  const tool = (/** @type {string} */ path, /** @type {string[]} */ ...args) =>
    run(process.execPath, [join(root, 'node_modules', path), ...args], { cwd: root, seconds: 300, name: path });
  try {
    await tool('typescript/bin/tsc', '-p', 'tsconfig.json', '--outDir', next);
    await tool(
      'assemblyscript/bin/asc.js',
      ...[`${KERNEL}/assembly/index.ts`, '--outFile', `${next}/${KERNEL}/kernel.wasm`],
      ...['--enable', 'simd', '--enable', 'threads', '--enable', 'bulk-memory'],
      ...['--sharedMemory', '--importMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
      ...['--runtime', 'stub', '-O3', '--noAssert'],
    );
    for (const source of PRODUCTS_SOURCES) cpSync(join(root, PRODUCTS, source), join(root, next, PRODUCTS, source));
    await prepareProducts(join(root, next, PRODUCTS));
    for (const file of PAGE) cpSync(join(root, file), join(root, next, file));
    writeFileSync(join(root, next, '.built-from'), hash);
    rmSync(join(root, 'dist'), { recursive: true, force: true });
    renameSync(join(root, next), join(root, 'dist'));
  } finally {
    rmSync(join(root, next), { recursive: true, force: true });
  }
}
