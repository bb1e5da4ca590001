// The npm packages of a checkout: are they the ones of package-lock.json, and if not, install them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.mjs';

/** @typedef {Record<string, { version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }>} Packages */

/** @param {string} path @returns {Packages | undefined} */
function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * Compares package-lock.json with the copy that npm leaves in node_modules once an installation is complete.
 * @param {string} root
 * @returns {boolean} whether everything is installed in its locked version
 */
export function packagesReady(root) {
  const locked = packagesOf(join(root, 'package-lock.json'));
  const installed = packagesOf(join(root, 'node_modules', '.package-lock.json'));
  if (locked === undefined || installed === undefined) return false;
  return Object.entries(locked).every(([path, wanted]) => {
    if (path === '') return true; // this project
    const found = installed[path];
    if (found === undefined) return Boolean(wanted.optional || wanted.devOptional); // for another platform
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

/**
 * Installs what package-lock.json says, development tools too, without running install scripts (tfjs-node's would fail
 * where its host cannot be reached; ./native.mjs does its work).
 * @param {string} root
 */
export async function installPackages(root) {
  const args = ['ci', '--ignore-scripts', '--include=dev', '--prefer-offline', '--no-audit', '--no-fund'];
  const npm = process.env.npm_execpath;
  const options = { cwd: root, seconds: 20 * 60, name: 'npm ci' };
  if (npm?.endsWith('npm-cli.js')) await run(process.execPath, [npm, ...args], options);
  else await run('npm', args, { ...options, shell: process.platform === 'win32' });
}
