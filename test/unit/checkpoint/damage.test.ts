// Tests that a checkpoint is refused, with an error that says why, if it is damaged anywhere, is of another version, or
// claims too much.
import { readFile, rm, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { loadCheckpoint, saveCheckpoint } from '../../../src/checkpoint/checkpoint.js';
import { failureOf } from '../../failure.js';
import { folderOfTest } from '../../folders.js';
import { checkpointAt, identity } from './checkpoints.js';

let folder: string;
beforeEach(() => {
  folder = folderOfTest('checkpoint');
});

describe('loadCheckpoint', () => {
  it('refuses a file cut short anywhere, or that goes on', async () => {
    const path = await saveCheckpoint(folder, checkpointAt(0, 1), 1);
    const intact = await readFile(path);
    for (let length = 0; length < intact.length; length++) {
      await writeFile(path, intact.subarray(0, length));
      expect((await failureOf(loadCheckpoint(path, identity), folder)).code).toBe('E_CHECKPOINT_DAMAGED');
    }
    for (const more of [1, 64, 5000]) {
      await writeFile(path, Buffer.concat([intact, Buffer.alloc(more)]));
      expect((await failureOf(loadCheckpoint(path, identity), folder)).code).toBe('E_CHECKPOINT_DAMAGED');
    }
  });

  it('refuses a file with any byte changed, as damaged even where the change makes it another run', async () => {
    const path = await saveCheckpoint(folder, checkpointAt(0, 1), 1);
    const intact = await readFile(path);
    const check = async (at: number, mask: number) => {
      const bytes = Buffer.from(intact);
      bytes[at]! ^= mask;
      await writeFile(path, bytes);
      expect((await failureOf(loadCheckpoint(path, identity), folder)).code).toBe('E_CHECKPOINT_DAMAGED');
    };
    for (let at = 0; at < intact.length; at++) await check(at, 1 << (at & 7));
    const anywhere = fc.integer({ min: 0, max: intact.length - 1 });
    await fc.assert(fc.asyncProperty(anywhere, fc.integer({ min: 1, max: 255 }), check));
  });

  it('refuses arrays larger than the file before it takes memory for them', async () => {
    const path = await saveCheckpoint(folder, { ...checkpointAt(0, 1), progress: { note: '00000000' } }, 1);
    const text = await readFile(path, 'latin1');
    const claim = text.replace('"length":5,"offset":448', '"length":500000000,"offset":448').replace('00000000', '');
    expect(claim).toHaveLength(text.length);
    expect(claim).not.toBe(text);
    await writeFile(path, claim, 'latin1');
    const before = process.memoryUsage().arrayBuffers;
    expect((await failureOf(loadCheckpoint(path, identity), folder)).message).toContain('ends before the arrays');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 26);
  });

  it('says when the file is of another version, or no checkpoint at all', async () => {
    const path = await saveCheckpoint(folder, checkpointAt(0, 1), 1);
    const bytes = await readFile(path);
    bytes.writeUInt32LE(1, 8);
    await writeFile(path, bytes);
    const error = await failureOf(loadCheckpoint(path, identity), folder);
    expect(error.code).toBe('E_CHECKPOINT_DAMAGED');
    expect(error.message).toContain('by another version of pseudolabel');
    expect(error.message).toContain('it has format 1, and this version reads 2');
    await writeFile(path, 'x'.repeat(1000));
    expect((await failureOf(loadCheckpoint(path, identity), folder)).message).toContain(
      'does not begin as such a file',
    );
  });

  it('names a damaged newest checkpoint and the one before it, and loads that when it is named', async () => {
    const older = await saveCheckpoint(folder, checkpointAt(0, 100), 3);
    const newest = await saveCheckpoint(folder, checkpointAt(0, 200), 3);
    await writeFile(newest, (await readFile(newest)).subarray(0, 500));
    const error = await failureOf(loadCheckpoint(folder, identity), folder);
    expect(error.code).toBe('E_CHECKPOINT_DAMAGED');
    expect(error.message).toContain(newest);
    expect(error.fix).toContain(older);
    expect(await loadCheckpoint(older, identity)).toMatchObject({ step: 100 });

    await rm(older);
    expect((await failureOf(loadCheckpoint(folder, identity), folder)).fix).toContain('start a new run');
  });
});
