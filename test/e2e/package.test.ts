// Tests the package as it is published (npm run pack): what it contains, that its types are right, and that it runs
// outside of the repository.
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { folderOfFile } from '../folders.js';
import { ROOT, run, script } from './bare-process.js';

const folder = folderOfFile('package');
const user = join(folder, 'user');
const installed = join(user, 'node_modules', 'pseudolabel');
const BUNDLED = '@tensorflow/tfjs-node';
let tarball: string;

/** Links the packages of one folder to another, except for some. */
function link(from: string, to: string, but: readonly string[]): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from))
    if (!name.startsWith('.') && !but.includes(name)) symlinkSync(join(from, name), join(to, name));
}

/** Installs the package as npm would, with the other packages of this checkout. */
beforeAll(async () => {
  const { stdout } = await run(process.execPath, ['scripts/pack.mjs', folder]);
  tarball = stdout.trim();
  mkdirSync(installed, { recursive: true });
  await run('tar', ['xzf', tarball, '--strip-components', '1', '-C', installed]);
  const [modules, own] = [join(ROOT, 'node_modules'), join(user, 'node_modules')];
  link(modules, own, ['@tensorflow', 'pseudolabel']);
  link(join(modules, '@tensorflow'), join(own, '@tensorflow'), ['tfjs-node']);
  writeFileSync(join(user, 'package.json'), '{ "type": "module" }');
});

const FIVE_LINES = `
  import { train, loadDataset } from 'pseudolabel';
  const run = train({ data: await loadDataset(), model: 'dense:32', workers: 2, maxSteps: 10, out: process.env.OUT });
  for await (const event of run) if (event.kind === 'step') console.log(event.step, event.loss);
  const { model, accuracy } = await run.result;
  console.log(model.countParams(), accuracy);`;

describe('the package', () => {
  it('brings tfjs-node with nothing that runs when it is installed, and names all that it needs', () => {
    const manifest = (path: string) =>
      JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Readonly<Record<string, Record<string, string>>>;
    const { scripts, gypfile, dependencies } = manifest(join(installed, 'node_modules', BUNDLED));
    expect([scripts, gypfile]).toEqual([undefined, false]);
    const ours = manifest(installed);
    expect(ours.bundleDependencies).toEqual([BUNDLED]);
    expect(ours.dependencies).toMatchObject(dependencies!);
    expect(ours.scripts).toBeUndefined();
  });

  it('is what publint and arethetypeswrong want', async () => {
    const tool = (path: string, ...args: string[]) =>
      run(process.execPath, [join(ROOT, 'node_modules', path), ...args]);
    await tool('publint/src/cli.js', tarball, '--strict');
    await tool('@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'esm-only');
  });

  it('says what to do before it is set up, and does that', async () => {
    const first = `import { train } from 'pseudolabel';
      await train({ hidden: 32, maxSteps: 1 }).result.catch(({ code, fix }) => console.log(code, fix));`;
    expect((await script(first, user)).stdout).toMatch(/^E_NATIVE run `npx pseudolabel setup`/);
    const { stdout } = await run(process.execPath, [join(installed, 'scripts/pseudolabel.mjs'), 'setup'], user);
    expect(stdout).toMatch(/^setup: .*\nsetup: ready\n$/s);

    const { stdout: lines, stderr } = await script(FIVE_LINES, user, { OUT: join(user, 'runs') });
    expect(stderr).toBe('');
    expect(lines.trimEnd().split('\n')).toHaveLength(11);
    expect(readdirSync(join(user, 'runs'))).toContain('model');
  });

  it.each(['nodenext', 'preserve'])(
    'has types that a strict program compiles with, library checks and all (module %s)',
    async (module) => {
      const typed = `${FIVE_LINES}
      import * as all from 'pseudolabel';
      import * as core from 'pseudolabel/core';
      const layers: readonly object[] = model.layers;
      const share: number | undefined = accuracy;
      console.log(layers, share, all, core);`;
      writeFileSync(join(user, 'program.ts'), typed);
      const strict = [
        '--noEmit',
        '--strict',
        '--exactOptionalPropertyTypes',
        '--noUncheckedIndexedAccess',
        '--module',
        module,
      ];
      const types = ['--target', 'es2022', '--types', 'node', 'program.ts'];
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
      await run(process.execPath, [tsc, ...strict, ...types], user).catch(({ stdout: errors }: { stdout: string }) =>
        expect.fail(errors),
      );
    },
  );
});
