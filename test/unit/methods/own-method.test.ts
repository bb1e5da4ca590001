// Tests the method that docs/methods.md writes: it is compiled, put into the table, and trains.
import { execFile } from 'node:child_process';
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import type { Method, Prediction } from '../../../src/methods/method.js';
import { METHODS, type MethodSettings } from '../../../src/methods/methods.js';
import { setTargets } from '../../../src/methods/targets.js';
import { folderOfFile } from '../../folders.js';

const folder = folderOfFile('own-method');
const LIMIT = 15;
const tsc = join(process.cwd(), 'node_modules/typescript/bin/tsc');
beforeAll(() => symlink(join(process.cwd(), 'node_modules'), join(folder, 'node_modules')));

async function example(): Promise<string> {
  const [, code] = /```ts\n(.*?)```/s.exec(await readFile('docs/methods.md', 'utf8')) ?? [];
  return code!;
}

/** Writes the file outside of the sources, and makes its imports find them. */
async function written(code: string, name: string): Promise<string> {
  const methods = join(process.cwd(), 'src/methods');
  const path = join(folder, name);
  await writeFile(path, code.replaceAll("'./", `'${methods}/`));
  return path;
}

/** Returns what the compiler says of the types. */
async function problemsOf(code: string): Promise<string> {
  const file = await written(code, 'checked.ts');
  const config = join(folder, 'tsconfig.json');
  const types = {
    rootDir: '/',
    types: ['node'],
    typeRoots: [join(process.cwd(), 'node_modules/@types')],
    noEmit: true,
  };
  const whole = { extends: join(process.cwd(), 'tsconfig.json'), compilerOptions: types, include: [], files: [file] };
  await writeFile(config, JSON.stringify(whole));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', config]).catch((error) => error);
  return stdout;
}

it('compiles, in few lines', async () => {
  const code = await example();
  expect(await problemsOf(code)).toBe('');
  expect(await problemsOf(code.replace('weights: of.confidences', 'weights: 1'))).toContain('TS2');
  expect(code.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(LIMIT);
});

it('makes targets that weigh as much as they are sure', async () => {
  const path = await written(await example(), 'own.ts');
  const { byConfidence } = (await import(path)) as { byConfidence: Method<MethodSettings> };
  const table = METHODS as Record<string, unknown>;
  table['by-confidence'] = byConfidence;
  try {
    const { defaults } = byConfidence;
    expect(byConfidence.settings.parse(structuredClone(defaults))).toEqual(defaults);
    const state = byConfidence.begin(defaults, [3, 3]);
    expect(byConfidence.rows(defaults, 0, state, [3, 3])).toBeUndefined();
    const rows = byConfidence.rows(defaults, 1200, state, [3, 3])!;
    const prediction: Prediction = {
      rows: 2,
      classes: Uint16Array.of(1, 0),
      confidences: Float32Array.of(0.75, 0.5),
      classMasses: [],
      probabilities: () => new Float32Array(),
    };
    const places = { targets: new Float32Array(16), weights: new Float32Array(8) };
    const taught = { labels: new Uint16Array(), labelledBatch: 0, unlabelled: { ...rows, batch: 2 }, terms: 1 };
    setTargets(taught, prediction, places);
    expect([...places.weights.subarray(0, 2)]).toEqual([0.375, 0.25]);
    expect([places.targets[8], places.targets[1]]).toEqual([1, 1]);
  } finally {
    delete table['by-confidence'];
  }
});
