// Packs the package as it is published and installed: npm run pack [folder]. It brings tfjs-node along, without the install script by which npm
// downloads a library of 2022 from a host that many machines cannot reach; set-up puts the library in place (setup/native.mjs).

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './setup/command.mjs';
import { tfjsNodeFolder } from './setup/native.mjs';
import { main } from './setup/steps.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const TFJS_NODE = '@tensorflow/tfjs-node';
/** Of tfjs-node: what it runs by, and what its binding is compiled of. */
const FILES = ['README.md', 'binding', 'binding.gyp', 'dist', 'scripts'];
const NOTICE =
  'Changed in this copy: package.json has no scripts, so that nothing is downloaded when it is installed; there are no tests.';

/** @param {string} path @returns {Record<string, any>} */
const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
/** @param {string} path @param {unknown} value */
const write = (path, value) => writeFileSync(path, `${JSON.stringify(value, undefined, 2)}\n`);

/** @param {string} cwd @param {string} to @returns {Promise<string>} the tarball */
async function pack(cwd, to) {
  const { name, version } = read(join(cwd, 'package.json'));
  await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', to], { cwd, seconds: 120 });
  return join(to, `${name}-${version}.tgz`);
}

/** Puts tfjs-node beside the package, with what it needs among the package's own. @param {string} folder of the package */
function bundle(folder) {
  const from = tfjsNodeFolder();
  const to = join(folder, 'node_modules', TFJS_NODE);
  mkdirSync(to, { recursive: true });
  const filter = (/** @type {string} */ path) => !/_test\.(?:js|d\.ts)$|run_tests/.test(path);
  for (const file of FILES) cpSync(join(from, file), join(to, file), { recursive: true, filter });
  const { scripts: _, devDependencies: __, ...tfjsNode } = read(join(from, 'package.json'));
  // Without scripts npm would call node-gyp for a binding.gyp.
  write(join(to, 'package.json'), { ...tfjsNode, gypfile: false });
  writeFileSync(join(to, 'CHANGES'), `${NOTICE}\n`);
  const { devDependencies, scripts, ...ours } = read(join(folder, 'package.json'));
  // npm does not install what a bundled package needs.
  const dependencies = { ...tfjsNode.dependencies, ...ours.dependencies };
  write(join(folder, 'package.json'), { ...ours, dependencies, bundleDependencies: [TFJS_NODE] });
}

await main(async () => {
  const to = resolve(process.argv[2] ?? '.');
  const work = mkdtempSync(join(tmpdir(), 'pseudolabel-pack-'));
  try {
    const plain = await pack(root, work);
    await run('tar', ['xzf', plain, '-C', work], { seconds: 60 });
    const folder = join(dirname(plain), 'package');
    bundle(folder);
    console.log(await pack(folder, to));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
});
