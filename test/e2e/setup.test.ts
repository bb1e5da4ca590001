// Tests set-up as a user meets it: what a second run prints, and what is printed if TensorFlow is not available.
// Nothing is downloaded.

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { completed } from '../../scripts/environment.mjs';
import { folderOfTest } from '../folders.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

function setUp(folder: string, env: NodeJS.ProcessEnv) {
  return spawnSync(process.execPath, [join(folder, 'scripts', 'setup.mjs')], { encoding: 'utf8', env });
}

describe('set-up of a checkout', () => {
  it('does nothing when nothing is missing, and says so in one line', () => {
    expect(setUp(root, process.env).status).toBe(0);
    const second = setUp(root, process.env);
    expect(second.stdout).toBe('setup: nothing to do\n');
    expect(second.stderr).toBe('');
    expect(second.status).toBe(0);
  });
});

describe('set-up of an installed package without TensorFlow', () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;

  const program = (name: string) => {
    const path = join(folder, 'bin', name);
    writeFileSync(path, '#!/bin/sh\nexit 0\n');
    chmodSync(path, 0o755);
  };

  beforeEach(() => {
    folder = folderOfTest('setup');
    cpSync(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true });
    const tfjsNode = join(folder, 'node_modules', '@tensorflow', 'tfjs-node');
    mkdirSync(tfjsNode, { recursive: true });
    writeFileSync(join(tfjsNode, 'package.json'), '{ "name": "@tensorflow/tfjs-node", "version": "4.22.0" }');
    mkdirSync(join(folder, 'bin'));
    env = { PATH: join(folder, 'bin'), XDG_CACHE_HOME: join(folder, 'cache') };
  });

  it('refuses a wheel that is not the pinned one with one message that gives the ways out', () => {
    program('c++');
    const wheel = join(folder, 'broken.whl');
    writeFileSync(wheel, 'not a wheel');
    const { status, stderr } = setUp(folder, { ...env, PSEUDOLABEL_TENSORFLOW_WHEEL: wheel });
    expect(stderr).toMatch(/^setup: TensorFlow's native library could not be made ready\. Tried:\n/);
    expect(stderr).toContain(`the wheel ${wheel}: it is not the pinned wheel`);
    expect(stderr).toMatch(/install pip and a C\+\+ compiler/);
    expect(stderr).toMatch(/set PSEUDOLABEL_TENSORFLOW_WHEEL=/);
    expect(stderr).toContain(`copy ${join(folder, 'cache', 'pseudolabel')} from a machine`);
    expect(stderr).not.toMatch(/\n\s+at /); // no stack
    expect(status).toBe(1);
  });

  it('stops at a wheel from pip that is not the pinned one, before any installer without a hash (case S6)', () => {
    program('c++');
    const installed = join(folder, 'installed');
    const installer = join(folder, 'node_modules', '@tensorflow', 'tfjs-node', 'scripts', 'install.js');
    mkdirSync(dirname(installer));
    writeFileSync(installer, `require('fs').writeFileSync(${JSON.stringify(installed)}, '');`);
    const pip = `#!${process.execPath}
      const fs = require('fs');
      const to = process.argv.indexOf('--dest') + 1;
      if (to > 0) {
        fs.mkdirSync(process.argv[to], { recursive: true });
        fs.writeFileSync(process.argv[to] + '/tensorflow_cpu.whl', 'other bytes');
      }`;
    writeFileSync(join(folder, 'bin', 'pip3'), pip, { mode: 0o755 });
    const { status, stderr } = setUp(folder, env);
    expect(stderr).toContain('the Python wheel: it is not the pinned wheel');
    expect(existsSync(installed)).toBe(false);
    expect(existsSync(join(folder, 'cache', 'pseudolabel'))).toBe(true);
    expect(readdirSync(join(folder, 'cache', 'pseudolabel'))).toEqual([]);
    expect(status).toBe(1);
  });

  it('names every tool that is missing, and leaves nothing half-made in the cache', () => {
    const { status, stderr } = setUp(folder, { ...env, PSEUDOLABEL_TENSORFLOW_WHEEL: join(folder, 'absent.whl') });
    expect(stderr).toContain('no C++ compiler (CXX, c++, g++, clang++)');
    expect(status).toBe(1);
    program('c++');
    const second = setUp(folder, { ...env, PSEUDOLABEL_TENSORFLOW_WHEEL: join(folder, 'absent.whl') });
    expect(second.stderr).toMatch(/absent\.whl: .*no such file/);
    expect(existsSync(join(folder, 'cache', 'pseudolabel', 'setup.lock'))).toBe(false);
  });
});

describe('the launcher', () => {
  const launch = (folder: string, args: readonly string[], env: NodeJS.ProcessEnv) =>
    spawnSync(process.execPath, [...args.slice(0, -1), join(folder, 'scripts', 'pseudolabel.mjs'), args.at(-1)!], {
      encoding: 'utf8',
      env,
    });

  it.each(['doctor', 'train'])('says on an older Node which one %s needs, without a stack (case 20)', (command) => {
    const older = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.8" } })';
    const { status, stdout, stderr } = launch(
      root,
      ['--import', `data:text/javascript,${older}`, command],
      process.env,
    );
    expect(stderr).toBe('pseudolabel: Node 20.15 or later is needed; this is 18.20.8\n');
    expect(stdout).toBe('');
    expect(status).toBe(1);
  });

  it('never runs a build that is older than the sources: it builds anew, or ends (case 26)', () => {
    const folder = folderOfTest('launcher');
    cpSync(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true });
    for (const path of ['src', 'dist/coordinator']) mkdirSync(join(folder, path), { recursive: true });
    for (const file of ['package-lock.json', 'tsconfig.json']) writeFileSync(join(folder, file), '{}');
    writeFileSync(join(folder, 'src', 'edited.ts'), 'export {};');
    writeFileSync(join(folder, 'dist', 'coordinator', 'cli.js'), "console.log('the old build');");
    writeFileSync(join(folder, 'dist', '.built-from'), 'other sources');
    const env = completed({ PATH: folder, XDG_CACHE_HOME: join(folder, 'cache') }); // without npm to build
    const trained = launch(folder, ['train'], env);
    expect(trained.stdout).toBe('');
    expect(trained.stderr).toMatch(/^setup: installing packages .*\nsetup: /);
    expect(trained.status).toBe(1);
    const examined = launch(folder, ['doctor'], env);
    expect(examined.stderr).toContain('dist/ is older than the sources');
    expect(examined.stdout).toBe('the old build\n');
  });
});
