// Tests files that a stranger may give: they are measured before memory is allocated for them, and refused with an
// error that says so.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { configFrom } from '../../../coordinator/commands/run-flags.js';
import { readRun } from '../../../coordinator/report.js';
import { loadReproduction } from '../../../coordinator/runs/reproduction.js';
import { RunDirectory } from '../../../coordinator/runs/run-directory.js';
import { loadCheckpoint, saveCheckpoint } from '../../../src/checkpoint/checkpoint.js';
import { MOST_JSON_BYTES, parseJson, readBytes, readJson } from '../../../src/files/read.js';
import { loadModel } from '../../../src/models/saved-model.js';
import { folderOfTest } from '../../folders.js';
import { checkpointAt, identity } from '../checkpoint/checkpoints.js';

let folder: string;
beforeEach(() => {
  folder = folderOfTest('reading');
});

const readers = {
  'config.json': { read: () => readRun(folder), code: 'E_REPORT' },
  'metrics.jsonl': { read: () => readRun(folder), code: 'E_REPORT' },
  'result.json': { read: () => RunDirectory.resultOf(folder), code: 'E_CHECKPOINT_DAMAGED' },
  'mistakes.json': { read: () => readRun(folder), code: 'E_REPORT' },
  'reproduction.json': { read: () => loadReproduction(folder), code: 'E_CHECKPOINT_MISSING' },
  'options.json': { read: () => configFrom({ config: join(folder, 'options.json') }), code: 'E_CONFIG' },
  'model.json': { read: () => loadModel(folder), code: 'E_MODEL' },
  'checkpoint-00-00000001.plck': { read: () => loadCheckpoint(folder, identity), code: 'E_CHECKPOINT_DAMAGED' },
} as const;

const bad: [what: string, make: (path: string) => void][] = [
  [
    'longer than memory',
    (path) => {
      writeFileSync(path, '{');
      truncateSync(path, 2 ** 40); // This takes no more bytes on the disk.
    },
  ],
  ['a pipe that nobody writes to', (path) => void execFileSync('mkfifo', [path])],
  ['a hundred thousand brackets', (path) => writeFileSync(path, `${'['.repeat(100_000)}\n`)],
  ['half of something', (path) => writeFileSync(path, '{"kind": "st\n')],
  ['a number beyond all', (path) => writeFileSync(path, '{"kind": "step", "step": 1e999, "layers": 1e308}\n')],
  ['keys of every object', (path) => writeFileSync(path, '{"__proto__": {"a": 1}, "constructor": {"b": 2}}\n')],
];
/** Damage that is allowed in these files, or that other code finds. */
const FINE = new Set(['config.json keys of every object', 'config.json a number beyond all']);
const CHANGED = new Set(['result.json a number beyond all', 'result.json keys of every object']);

describe.each(Object.entries(readers))('%s', (name, { read, code }) => {
  it.each(bad)('that is %s is refused (readers of files)', async (what, make) => {
    if (name !== 'config.json') writeFileSync(join(folder, 'config.json'), '{"scenario": "pl"}');
    make(join(folder, name));
    const before = process.memoryUsage().arrayBuffers;
    const reading = read();
    if (FINE.has(`${name} ${what}`) || CHANGED.has(`${name} ${what}`)) await reading;
    else await expect(reading).rejects.toMatchObject({ code, message: expect.stringContaining(name) });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 26);
    expect(({} as { a?: number }).a).toBeUndefined();
  });
});

describe('a model', () => {
  it('with more units than memory has room for is refused before any is taken', async () => {
    const layer = (name: string, units: number, activation: string) => {
      return { class_name: 'Dense', config: { name, units, activation } };
    };
    const layers = [layer('a', 2 ** 30, 'relu'), layer('b', 10, 'softmax')];
    const weights = [
      ['a/kernel', [2 ** 20, 2 ** 30]],
      ['a/bias', [2 ** 30]],
    ].map(([name, shape]) => ({ name, shape, dtype: 'float32' }));
    const json = {
      modelTopology: { class_name: 'Sequential', config: { layers } },
      weightsManifest: [{ paths: ['weights.bin'], weights }],
    };
    writeFileSync(join(folder, 'model.json'), JSON.stringify(json));
    writeFileSync(join(folder, 'weights.bin'), 'x');
    await expect(loadModel(folder)).rejects.toMatchObject({ code: 'E_MODEL' });
    const twice = { ...json, weightsManifest: [{ paths: ['weights.bin', 'weights.bin'], weights }] };
    writeFileSync(join(folder, 'model.json'), JSON.stringify(twice));
    await expect(loadModel(folder)).rejects.toMatchObject({
      code: 'E_MODEL',
      message: expect.stringContaining('twice'),
    });
  });
});

describe('a checkpoint', () => {
  it('whose arrays are not those of its run is refused before they are read', async () => {
    const path = await saveCheckpoint(folder, checkpointAt(0, 1), 1);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1]! ^= 1; // This is noticed when everything has been read.
    writeFileSync(path, bytes);
    const loading = loadCheckpoint(
      path,
      identity,
      ({ stage, lengths }) => stage !== 0 || lengths.get('parameters') !== 19,
    );
    await expect(loading).rejects.toMatchObject({
      code: 'E_CHECKPOINT_DAMAGED',
      message: expect.stringContaining('arrays that are not those of its run'),
    });
  });
});

describe('a file', () => {
  it('is read whole, and not where it is longer than it may be', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, '["a}", "\\"]"]');
    expect(await readJson(path)).toEqual(['a}', '"]']);
    expect(await readBytes(path, 13)).toHaveLength(13);
    await expect(readBytes(path, 12)).rejects.toThrow('13 bytes where at most 12');
    expect(MOST_JSON_BYTES).toBeLessThan(2 ** 25);
  });

  it('may have brackets in its texts, and 64 in one another', () => {
    expect(parseJson(`"${'['.repeat(1000)}\\\\"`)).toHaveLength(1001);
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    parseJson(nested(64));
    expect(() => parseJson(nested(65))).toThrow('deeper');
  });

  it('of other people is read in one way', () => {
    const root = fileURLToPath(new URL('../../../', import.meta.url));
    const sources = ['src', 'coordinator', 'worker'].flatMap((top) =>
      readdirSync(join(root, top), { recursive: true, encoding: 'utf8' }).map((name) => join(top, name)),
    );
    const others = sources.filter((name) => {
      return (
        name.endsWith('.ts') &&
        /\breadFile\(|\bJSON\.parse\((?!JSON\.stringify)/.test(readFileSync(join(root, name), 'utf8'))
      );
    });
    expect(others.sort()).toEqual(OWN);
  });
});

/**
 * Files that may read in another way. They read the user's own secrets, our own processes, packages and temporary
 * files, what a browser gets from us, or data sets, which have a reader of their own.
 */
const OWN: readonly string[] = [
  'coordinator/commands/doctor.ts',
  'coordinator/commands/program.ts',
  'coordinator/dashboard/page/main.ts',
  'coordinator/review/script.ts',
  'coordinator/runs/run.ts',
  'coordinator/scaling/child-process.ts',
  'coordinator/server/secrets.ts',
  'src/data/load.ts',
  'src/data/sources/idx.ts',
  'src/files/read.ts',
  'src/models/hdf5.ts',
  'worker/decoder.ts',
];
