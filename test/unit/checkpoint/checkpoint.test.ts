// Tests checkpoints: they are read back bit for bit, the last ones are kept, and those of another run are refused.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { latestCheckpoint, loadCheckpoint, saveCheckpoint } from '../../../src/checkpoint/checkpoint.js';
import { failureOf } from '../../failure.js';
import { folderOfTest } from '../../folders.js';
import { checkpointAt, identity } from './checkpoints.js';

let folder: string;
beforeEach(() => {
  folder = folderOfTest('checkpoint');
});

const bytesOf = (array: Float32Array | Uint16Array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

/** Any bits, because those of a NaN or of -0 must be read back too. */
const anyFloats = fc
  .uint8Array({ maxLength: 400 })
  .map((bytes) => new Float32Array(bytes.slice(0, bytes.length - (bytes.length % 4)).buffer));

const anyShares = fc.array(
  fc.double({ min: 0, max: 1, noNaN: true }).map((share) => share + 0),
  { minLength: 1 },
);

const anyCheckpoint = fc.record({
  stage: fc.nat({ max: 120 }),
  step: fc.nat(),
  methodState: fc.record({ target: anyShares, predicted: anyShares }),
  identity: fc.record({ config: fc.jsonValue(), seed: fc.nat(), shards: fc.nat(), dataSha256: fc.string() }),
  numerics: fc.string(),
  state: fc.record({
    parameters: anyFloats,
    firstMoment: anyFloats,
    secondMoment: anyFloats,
    pseudoLabels: fc.uint16Array({ maxLength: 99 }),
    confidences: anyFloats,
  }),
  // JSON parsers do not agree on the name '__proto__'.
  progress: fc.dictionary(
    fc.string().filter((name) => name !== '__proto__'),
    fc.jsonValue(),
  ),
});

describe('saveCheckpoint and loadCheckpoint', () => {
  it('give back any state bit for bit, and what JSON makes of the rest', async () => {
    await fc.assert(
      fc.asyncProperty(anyCheckpoint, async (checkpoint) => {
        const path = await saveCheckpoint(folder, checkpoint, 1);
        const { state, ...rest } = await loadCheckpoint(path, checkpoint.identity);
        const { state: saved, ...savedRest } = checkpoint;
        expect(rest).toEqual(JSON.parse(JSON.stringify(savedRest)));
        for (const name of Object.keys(saved) as (keyof typeof saved)[]) {
          expect(state[name].constructor).toBe(saved[name].constructor);
          expect(bytesOf(state[name])).toEqual(bytesOf(saved[name]));
        }
      }),
    );
  });

  it('save shared memory, and arrays larger than a piece of a write', async () => {
    const { buffer } = new WebAssembly.Memory({ initial: 200, maximum: 200, shared: true });
    const parameters = new Float32Array(buffer, 65536, 2_500_001).map(Math.fround);
    const shared = new Float32Array(buffer, 65536, 2_500_001);
    for (let i = 0; i < shared.length; i++) shared[i] = parameters[i] = Math.sin(i);
    const checkpoint = checkpointAt(0, 1);
    const path = await saveCheckpoint(folder, { ...checkpoint, state: { ...checkpoint.state, parameters: shared } }, 1);
    const { state } = await loadCheckpoint(path, identity);
    expect(Buffer.compare(bytesOf(state.parameters), bytesOf(parameters))).toBe(0);
    expect(state.pseudoLabels).toEqual(checkpoint.state.pseudoLabels);
  });
});

describe('loadCheckpoint', () => {
  it('takes a run directory, its checkpoints folder, or a file', async () => {
    const checkpoints = join(folder, 'checkpoints');
    const older = await saveCheckpoint(checkpoints, checkpointAt(0, 900), 3);
    const newer = await saveCheckpoint(checkpoints, checkpointAt(1, 5), 3);
    expect(older).toBe(join(checkpoints, 'checkpoint-00-00000900.plck'));
    for (const path of [folder, checkpoints, newer]) {
      expect(await loadCheckpoint(path, identity)).toMatchObject({ stage: 1, step: 5 });
    }
    expect(await loadCheckpoint(older, identity)).toMatchObject({ stage: 0, step: 900 });
  });

  it('names every difference from the run to be continued, with both values', async () => {
    await saveCheckpoint(folder, checkpointAt(0, 1), 1);
    const other = {
      config: { method: 'pseudo-label', rate: 0.002, alpha: { final: 3, from: 0.2, to: 0.8 }, widths: [12, 8, 3] },
      seed: 7,
      shards: 2,
      dataSha256: 'cd'.repeat(32),
    };
    const error = await failureOf(loadCheckpoint(folder, other), folder);
    expect(error.code).toBe('E_CHECKPOINT_MISMATCH');
    const [, differences] = error.message.split('belongs to another run: ');
    expect(differences?.split('; ')).toEqual([
      'config.rate is 0.001 in the checkpoint, 0.002 now',
      'config.alpha.to is absent in the checkpoint, 0.8 now',
      'config.widths.1 is 7 in the checkpoint, 8 now',
      'seed is 1 in the checkpoint, 7 now',
      'dataSha256 is "ababababababababababa...ababababababab" in the checkpoint, "cdcdcdcdcdcdcdcdcdcdc...cdcdcdcdcdcdcd" now',
    ]);
  });

  it('accepts an identity exactly if JSON makes the same of it', async () => {
    const anyIdentity = fc.record({
      config: fc.jsonValue({ maxDepth: 3 }),
      seed: fc.nat({ max: 1 }),
      shards: fc.constant(2),
      dataSha256: fc.constantFrom('', 'a'),
    });
    await fc.assert(
      fc.asyncProperty(anyIdentity, anyIdentity, async (saved, expected) => {
        await saveCheckpoint(folder, { ...checkpointAt(0, 1), identity: saved }, 1);
        const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
        const loading = loadCheckpoint(folder, expected);
        if (fc.stringify(json(saved)) === fc.stringify(json(expected))) await loading;
        else expect((await failureOf(loading, folder)).code).toBe('E_CHECKPOINT_MISMATCH');
      }),
    );
  });

  it('says that there is none, where there is none', async () => {
    await mkdir(join(folder, 'empty', 'checkpoints'), { recursive: true });
    for (const path of [join(folder, 'absent'), join(folder, 'empty'), join(folder, 'absent', 'x.plck')]) {
      const error = await failureOf(loadCheckpoint(path, identity), folder);
      expect(error.code).toBe('E_CHECKPOINT_MISSING');
      expect(error.message).toContain(path);
    }
  });
});

describe('saveCheckpoint', () => {
  it('keeps the last ones, in the order of stages and steps', async () => {
    await writeFile(join(folder, 'notes.txt'), 'mine');
    const order = [checkpointAt(0, 9), checkpointAt(0, 99_999_999), checkpointAt(0, 100_000_000), checkpointAt(1, 3)];
    for (const checkpoint of order) await saveCheckpoint(folder, checkpoint, 2);
    const names = ['checkpoint-00-100000000.plck', 'checkpoint-01-00000003.plck', 'notes.txt'];
    expect((await readdir(folder)).sort()).toEqual(names);
    expect(await latestCheckpoint(folder)).toBe(join(folder, 'checkpoint-01-00000003.plck'));
  });

  it('takes the place of later checkpoints, from which the run did not continue', async () => {
    for (const step of [100, 200, 300]) await saveCheckpoint(folder, checkpointAt(0, step), 3);
    await saveCheckpoint(folder, checkpointAt(0, 150), 3);
    const names = ['checkpoint-00-00000100.plck', 'checkpoint-00-00000150.plck'];
    expect((await readdir(folder)).sort()).toEqual(names);
  });

  it('leaves the ones before when it is interrupted, and the next save cleans up', async () => {
    const path = await saveCheckpoint(folder, checkpointAt(0, 100), 3);
    const half = (await readFile(path)).subarray(0, 700);
    await writeFile(join(folder, 'checkpoint-00-00000200.plck.tmp-0123abcd'), half);
    expect(await latestCheckpoint(folder)).toBe(path);
    expect(await loadCheckpoint(folder, identity)).toEqual(checkpointAt(0, 100));

    const unwritable = { ...checkpointAt(0, 200), progress: { seconds: 1n } };
    await expect(saveCheckpoint(folder, unwritable, 1)).rejects.toThrow(TypeError);
    expect(await loadCheckpoint(folder, identity)).toEqual(checkpointAt(0, 100));

    const next = await saveCheckpoint(folder, checkpointAt(0, 200), 1);
    expect((await readdir(folder)).map((name) => join(folder, name))).toEqual([next]);
  });

  it('names the path when it cannot be written', async () => {
    await writeFile(join(folder, 'checkpoints'), 'x');
    const error = await failureOf(saveCheckpoint(join(folder, 'checkpoints'), checkpointAt(0, 1), 1), folder);
    expect(error.code).toBe('E_OUTPUT');
  });
});

describe('latestCheckpoint', () => {
  it('is undefined where there is none', async () => {
    expect(await latestCheckpoint(folder)).toBeUndefined();
    expect(await latestCheckpoint(join(folder, 'absent'))).toBeUndefined();
  });
});
