// Tests the error type: its exit codes, and its way back from a worker thread.
import { Piscina } from 'piscina';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, exitCodeOf, PseudolabelError } from '../../src/errors.js';

const cause = new Error('the disk is gone');
const original = new PseudolabelError('E_OUTPUT', 'run/result.json cannot be written', 'Free some space.', { cause });

describe('PseudolabelError', () => {
  it('survives the way to a piscina worker and back', async () => {
    const pool = new Piscina({ filename: new URL('./rethrow.mjs', import.meta.url).href, maxThreads: 1 });
    const thrown: unknown = await pool.run(original).catch((error: unknown) => error);
    await pool.destroy();

    expect(thrown).not.toBeInstanceOf(PseudolabelError);
    const revived = PseudolabelError.revive(thrown);
    expect(revived).toBeInstanceOf(PseudolabelError);
    const { name, code, message, fix, stack } = revived as PseudolabelError;
    expect({ name, code, message, fix, stack }).toEqual({
      name: 'PseudolabelError',
      code: 'E_OUTPUT',
      message: 'run/result.json cannot be written',
      fix: 'Free some space.',
      stack: original.stack,
    });
    expect((revived as PseudolabelError).cause).toMatchObject({ cause: { message: 'the disk is gone' } });
  });

  it('revives nothing but what it was', () => {
    const foreign = new Error('no', { cause: { code: 'ENOENT', fix: 'none' } });
    for (const error of [original, foreign, new TypeError('no'), 'no', undefined]) {
      expect(PseudolabelError.revive(error)).toBe(error);
    }
  });
});

describe('exitCodeOf', () => {
  it('is the code that the table gives, and 1 for an error that is not ours', () => {
    expect(exitCodeOf(original)).toBe(1);
    expect(exitCodeOf(new PseudolabelError('E_USAGE', 'm', 'f'))).toBe(2);
    expect(exitCodeOf(new PseudolabelError('E_INTERRUPTED', 'm', 'f'))).toBe(130);
    expect(exitCodeOf(new Error('no'))).toBe(1);
    expect(exitCodeOf('no')).toBe(1);
  });

  it('is never 0', () => {
    for (const { exit } of Object.values(ERROR_CODES)) expect([1, 2, 130]).toContain(exit);
  });
});
