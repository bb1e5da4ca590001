// The native library of @tensorflow/tfjs-node: is it in place, and if not, the ways to get it there, cheapest first.
// tfjs-node's own install step downloads a library of 2022 from a host that many machines cannot reach.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { completed } from '../environment.mjs';
import { cacheRoot } from './cache.mjs';
import { run, SetupError, WrongContentError } from './command.mjs';
import { chosenWheel, createEntry, WHEEL } from './wheel.mjs';

const RECIPE = 1; // raise it when the way the binding is built changes, so that no cached one is taken for the new one
const BINDING = join('lib', 'napi-v8', 'tfjs_binding.node');
const LIBRARY_FOLDER = join('deps', 'lib');
const STAMP = join('lib', 'napi-v8', 'pseudolabel.json');
const PROBE = fileURLToPath(new URL('probe.mjs', import.meta.url));

/** @returns {string} folder of the installed @tensorflow/tfjs-node @throws if it is not installed */
export function tfjsNodeFolder() {
  return dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node/package.json'));
}

/** @param {string} folder of tfjs-node */
function keyOf(folder) {
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `tensorflow-${WHEEL.version}-tfjs-node-${version}-${process.platform}-${process.arch}-${RECIPE}`;
}

/** Reads the stamp that a successful probe has left; a few file look-ups, no library is loaded.
 *  @returns {boolean} whether TensorFlow has been seen to run from where it is now */
export function nativeReady() {
  try {
    const folder = tfjsNodeFolder();
    const { key, needs } = JSON.parse(readFileSync(join(folder, STAMP), 'utf8'));
    return key === keyOf(folder) && needs.every((/** @type {string} */ path) => existsSync(join(folder, path)));
  } catch {
    return false;
  }
}

/**
 * Puts the library in place and sees it compute. The caller holds the set-up lock.
 * @param {import('./wheel.mjs').Step} step
 * @throws {SetupError} with what was tried, why each way failed, and what the user can do
 */
export async function prepareNative(step) {
  const folder = tfjsNodeFolder();
  const key = keyOf(folder);
  const entry = join(cacheRoot, key);
  const onLinux = process.platform === 'linux' && process.arch === 'x64';
  const chosen = chosenWheel();
  const place = () => link(entry, folder);
  const createAndPlace = () => createEntry(entry, folder, step).then(place);
  // A wheel that the user chose is not quietly replaced by something else.
  /** @type {[name: string, applies: boolean, prepare: () => Promise<void> | void][]} */
  const ways = [
    ['the library already in place', existsSync(join(folder, BINDING)) && !existsSync(join(folder, STAMP)), () => {}],
    [`the cache (${entry})`, existsSync(entry), place],
    [chosen ? `the wheel ${chosen}` : 'the Python wheel', onLinux || Boolean(chosen), createAndPlace],
    ["tfjs-node's own installer", !chosen, () => runInstaller(folder, step)],
  ];
  const failures = [];
  for (const [name, applies, prepare] of ways) {
    if (!applies) continue;
    try {
      await prepare();
      await step('checking that TensorFlow computes', () => probe(folder));
      return stamp(folder, key);
    } catch (error) {
      failures.push(`  - ${name}: ${/** @type {Error} */ (error).message}`);
      if (error instanceof WrongContentError) break; // tfjs-node's own installer would take whatever comes, unchecked
    }
  }
  throw new SetupError(waysOut(failures));
}

/** The binding is copied, since it finds the libraries relative to itself, and swapped in by renaming, since a running
 *  process may have the old one mapped. @param {string} entry @param {string} folder of tfjs-node */
function link(entry, folder) {
  const libraries = join(folder, LIBRARY_FOLDER);
  rmSync(libraries, { recursive: true, force: true });
  mkdirSync(dirname(libraries), { recursive: true });
  symlinkSync(join(entry, 'lib'), libraries);
  const binding = join(folder, BINDING);
  mkdirSync(dirname(binding), { recursive: true });
  copyFileSync(join(entry, 'tfjs_binding.node'), `${binding}.new`);
  renameSync(`${binding}.new`, binding);
}

/** @param {string} folder of tfjs-node @param {import('./wheel.mjs').Step} step */
function runInstaller(folder, step) {
  const tools = [join(folder, 'node_modules', '.bin'), join(folder, '..', '..', '.bin')];
  const env = { ...process.env, PATH: [...tools, process.env.PATH].join(delimiter) };
  return step("running tfjs-node's own installer", async () => {
    rmSync(join(folder, 'deps'), { recursive: true, force: true });
    await run(process.execPath, [join('scripts', 'install.js')], { cwd: folder, env, seconds: 600, name: 'it' });
    if (!existsSync(join(folder, BINDING))) throw new SetupError('it ended without a binding');
  });
}

/** @param {string} folder of tfjs-node */
async function probe(folder) {
  await run(process.execPath, [PROBE, folder], { seconds: 120, env: completed(process.env), name: 'TensorFlow' });
}

/** @param {string} folder of tfjs-node @param {string} key */
function stamp(folder, key) {
  const library = join(LIBRARY_FOLDER, 'libtensorflow_cc.so.2');
  const needs = [BINDING, existsSync(join(folder, library)) ? library : LIBRARY_FOLDER];
  writeFileSync(join(folder, STAMP), `${JSON.stringify({ key, needs })}\n`);
}

/** @param {string[]} failures */
function waysOut(failures) {
  return [
    "TensorFlow's native library could not be made ready. Tried:",
    ...failures,
    'Ways out, any of them (then run the same command again):',
    '  - install pip and a C++ compiler (Debian, Ubuntu: apt-get install python3-pip g++)',
    '  - without a network: fetch the wheel elsewhere and set PSEUDOLABEL_TENSORFLOW_WHEEL=/path/to.whl; to fetch it:',
    `    pip download ${WHEEL.download.join(' ')}`,
    `  - copy ${cacheRoot} from a machine of the same kind on which set-up has run`,
  ].join('\n');
}
