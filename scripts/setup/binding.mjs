// Compiles tfjs-node's binding against TensorFlow's C headers with the C++ compiler alone: no node-gyp, no headers to
// download. It is N-API code, so one binding serves every Node version.

import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.mjs';

/** What the binding is linked with. */
export const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/**
 * Links against empty libraries of the right names: reading the symbols of the real ones takes five seconds, they may not
 * be unpacked yet, and a shared object may leave symbols open.
 * @param {readonly string[]} compiler command line
 * @param {string} tfjsNode folder of @tensorflow/tfjs-node
 * @param {string} folder holds include/; gets tfjs_binding.node
 */
export async function compileBinding([program, ...rest], tfjsNode, folder) {
  const compile = (/** @type {string[]} */ ...args) =>
    run(/** @type {string} */ (program), [...rest, '-shared', '-fPIC', ...args], { seconds: 300 });
  const stubs = join(folder, 'stubs');
  await mkdir(stubs);
  for (const library of LIBRARIES) {
    await compile('-nostdlib', `-Wl,-soname,${library}`, '-o', join(stubs, library), '-x', 'c++', '/dev/null');
  }
  const nodeApi = dirname(createRequire(import.meta.url).resolve('node-api-headers/include/node_api.h'));
  await compile(
    ...['-O2', '-std=c++17', '-DNAPI_VERSION=8', '-I', join(folder, 'include'), '-I', nodeApi],
    ...[join(tfjsNode, 'binding', 'tfjs_backend.cc'), join(tfjsNode, 'binding', 'tfjs_binding.cc')],
    fileURLToPath(new URL('quiet.cc', import.meta.url)),
    ...['-L', stubs, '-Wl,--no-as-needed', ...LIBRARIES.map((library) => `-l:${library}`)],
    ...['-Wl,-rpath,$ORIGIN/../../deps/lib', '-o', join(folder, 'tfjs_binding.node')],
  );
}
