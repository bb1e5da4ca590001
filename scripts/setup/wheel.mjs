// Makes tfjs-node's native library out of TensorFlow's Python wheel: fetch the pinned wheel, take the libraries and the
// few C headers out of it, compile tfjs-node's binding against them. Linux on x86-64; needs pip and a C++ compiler.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { compileBinding, LIBRARIES } from './binding.mjs';
import { available, run, SetupError, WrongContentError } from './command.mjs';
import { compilers } from './products.mjs';
import { extractZip } from './zip.mjs';

/** The one TensorFlow build of this project: the weights of a run depend on it. Its Python version does not matter. */
export const WHEEL = {
  version: '2.21.0',
  size: '274 MB',
  download: [
    ...['--python-version', '3.11', '--implementation', 'cp', '--platform', 'manylinux_2_27_x86_64'],
    ...['--no-deps', '--only-binary=:all:', 'tensorflow-cpu==2.21.0'],
  ],
  sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
};

const HEADERS = /^tensorflow\/include\/((tensorflow\/c|tensorflow\/core\/platform|tsl\/platform|xla\/tsl\/c)\/.*\.h)$/;
const PIPS = [['python3', '-m', 'pip'], ['pip3'], ['pip']];

/** @typedef {<T>(title: string, work: () => Promise<T>) => Promise<T>} Step reports a piece of work and its duration */

/**
 * Creates the cache entry: lib/ with the TensorFlow libraries, and tfjs_binding.node. It appears under its name only when
 * complete; the caller holds the set-up lock.
 * @param {string} entry the folder to create
 * @param {string} tfjsNode folder of @tensorflow/tfjs-node, which has the binding's source
 * @param {Step} step
 * @throws {SetupError | Error} naming what is missing or failed
 */
export async function createEntry(entry, tfjsNode, step) {
  const { compiler, pips } = await findTools();
  const temporary = `${entry}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  try {
    const wheel = await (chosenWheel() ?? download(pips, join(temporary, 'download'), step));
    await step(`unpacking TensorFlow ${WHEEL.version} and compiling the tfjs-node binding`, async () => {
      await verifyWheel(wheel);
      await extractHeaders(wheel, join(temporary, 'include'));
      const results = await Promise.allSettled([
        extractLibraries(wheel, join(temporary, 'lib')),
        compileBinding(compiler, tfjsNode, temporary),
      ]);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
    });
    for (const leftover of ['download', 'include', 'stubs']) {
      await rm(join(temporary, leftover), { recursive: true, force: true });
    }
    await rm(entry, { recursive: true, force: true });
    await rename(temporary, entry);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** A wheel that the user has fetched. It has to be the pinned one all the same. */
export function chosenWheel() {
  return process.env.PSEUDOLABEL_TENSORFLOW_WHEEL || undefined;
}

/** Looks for everything first: without a compiler the download would be in vain. @throws {SetupError} */
async function findTools() {
  const [[compiler], pips] = await Promise.all([
    available(compilers(), ['--version']),
    chosenWheel() ? [] : available(PIPS, ['--version']),
  ]);
  const missing = [];
  if (compiler === undefined) missing.push('no C++ compiler (CXX, c++, g++, clang++)');
  if (pips.length === 0 && !chosenWheel()) missing.push('no pip (python3 -m pip, pip3, pip)');
  if (compiler === undefined || missing.length > 0) throw new SetupError(missing.join('; '));
  return { compiler, pips };
}

/** @param {readonly (readonly string[])[]} pips @param {string} folder @param {Step} step
 *  @returns {Promise<string>} path of the wheel */
function download(pips, folder, step) {
  return step(`downloading TensorFlow ${WHEEL.version} (${WHEEL.size}) with pip`, async () => {
    const failures = [];
    for (const [program, ...rest] of pips) {
      const quiet = ['--quiet', '--no-input', '--no-cache-dir', '--disable-pip-version-check'];
      const args = [...rest, 'download', ...quiet, '--dest', folder, ...WHEEL.download];
      try {
        await run(/** @type {string} */ (program), args, { seconds: 30 * 60 });
        const name = (await readdir(folder)).find((file) => file.endsWith('.whl'));
        if (name !== undefined) return join(folder, name);
      } catch (error) {
        failures.push(/** @type {Error} */ (error).message);
      }
    }
    throw new SetupError(failures.join('; ') || 'pip left no wheel');
  });
}

/** @param {string} wheel @throws {WrongContentError} */
async function verifyWheel(wheel) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(wheel, { highWaterMark: 1 << 20 }), hash);
  if (hash.digest('hex') === WHEEL.sha256) return;
  throw new WrongContentError(`it is not the pinned wheel (its SHA-256 is not ${WHEEL.sha256})`);
}

/** @param {string} wheel @param {string} folder */
async function extractHeaders(wheel, folder) {
  await extractZip(wheel, (name) => {
    const path = HEADERS.exec(name)?.[1];
    return path && join(folder, path);
  });
}

/** @param {string} wheel @param {string} folder */
async function extractLibraries(wheel, folder) {
  const wanted = new Map(LIBRARIES.map((library) => [`tensorflow/${library}`, join(folder, library)]));
  await extractZip(wheel, (name) => wanted.get(name));
  // The names under which tfjs-node's own tools look for its libraries.
  const link = (/** @type {string} */ from, /** @type {string} */ to) => symlink(to, join(folder, from));
  for (const suffix of ['so', 'so.2', 'so.2.9.1']) await link(`libtensorflow.${suffix}`, 'libtensorflow_cc.so.2');
  for (const suffix of ['so', 'so.2.9.1']) {
    await link(`libtensorflow_framework.${suffix}`, 'libtensorflow_framework.so.2');
  }
}
